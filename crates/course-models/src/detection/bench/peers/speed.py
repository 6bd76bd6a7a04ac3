"""How many pictures a second the detector learns from, and looks at one by one."""
batches = read_batches()
pictures = [image[None] for image in batches[0][0]]

network = trained(Detector)
parameters = sum(parameter.numel() for parameter in network.parameters())
with torch.no_grad():
    loss = network.loss_without_chance(*batches[0]).item()
    found = [network.eval().detect(picture, work["lowest_score"]) for picture in pictures]
optimizer = torch.optim.AdamW(network.parameters(), work["learning_rate"], weight_decay=work["weight_decay"], fused=best)
network.train()
first_step, begin, seen = None, time.perf_counter(), 0
for step in range(work["warm_ups"] + work["steps"]):
    if step == work["warm_ups"]:
        begin, seen = time.perf_counter(), 0
    images, targets = batches[step % len(batches)]
    optimizer.zero_grad()
    network.loss(images, targets).backward()
    nn.utils.clip_grad_norm_(network.parameters(), work["clip_norm"])
    optimizer.step()
    seen += len(images)
    first_step = first_step or since_start()
training = seen / (time.perf_counter() - begin)

network = trained(Detector).eval()
with torch.no_grad():
    for look in range(work["warm_ups"] + work["looks"]):
        if look == work["warm_ups"]:
            begin = time.perf_counter()
        network.detect(pictures[look % len(pictures)], work["threshold"])
finish({
    "parameters": parameters,
    "training_pictures_per_s": training,
    "detection_pictures_per_s": work["looks"] / (time.perf_counter() - begin),
    "loss": loss,
    "surest": [score for *_, scores in found for score in scores[: work["surest"]].tolist()],
    "first_step_s": first_step,
})
