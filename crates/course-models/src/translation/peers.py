"""One side of `cargo course bench seq2seq`: the same Transformer, weights, batches and steps in PyTorch.

Usage: python - pytorch|pytorch_best FOLDER. Prints one JSON object. `pytorch` is `torch.nn.Transformer` with Adam as it comes;
`pytorch_best` calls scaled_dot_product_attention itself and takes the fused Adam. Install it into a virtual environment with
`pip install torch`, and pass its interpreter as --python.
"""
import torch
from torch import nn

torch.set_num_threads(threads)
folder = sys.argv[2]
with open(os.path.join(folder, "work.json"), encoding="utf-8") as file:
    work = json.load(file)
size, num_heads, num_layers = work["hidden_size"], work["num_heads"], work["num_layers"]
dropout = nn.Dropout(work["dropout"])


def read_weights():
    """The tensors of the safetensors file by name."""
    with open(os.path.join(folder, "weights.safetensors"), "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        numbers = file.read()
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        first, last = entry["data_offsets"]
        part = torch.frombuffer(bytearray(numbers[first:last]), dtype=torch.float32)
        tensors[name] = part.reshape(entry["shape"])
    return tensors


def positions(length):
    places = torch.arange(length, dtype=torch.float64)[:, None]
    angles = places / 10_000 ** (torch.arange(0, size, 2, dtype=torch.float64) / size)
    return torch.stack([angles.sin(), angles.cos()], 2).reshape(length, size).float()


class Translator(nn.Module):
    """What both ways share: embeddings and output, which have one table."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(work["vocabulary"], size)
        self.output = nn.Linear(size, work["vocabulary"])
        self.output.weight = self.embedding.weight
        self.register_buffer("positions", positions(work["max_length"]), persistent=False)

    def place(self, ids):
        return dropout(self.embedding(ids) * size**0.5 + self.positions[: ids.shape[1]])


class Stock(Translator):
    """PyTorch's own Transformer."""

    def __init__(self):
        super().__init__()
        self.transformer = nn.Transformer(
            size,
            num_heads,
            num_layers,
            num_layers,
            work["feed_forward_size"],
            work["dropout"],
            batch_first=True,
            norm_first=True,
        )
        for layer in [*self.transformer.encoder.layers, *self.transformer.decoder.layers]:
            layer.dropout = nn.Identity()  # ours leaves nothing out inside the feed-forward network

    def forward(self, source, decoder_input):
        padding = source == work["padding"]
        later = nn.Transformer.generate_square_subsequent_mask(decoder_input.shape[1])
        tokens = self.transformer(
            self.place(source),
            self.place(decoder_input),
            tgt_mask=later,
            src_key_padding_mask=padding,
            memory_key_padding_mask=padding,
            tgt_is_causal=True,
        )
        return self.output(tokens)

    def load(self, ours):
        names = {"self_attention": "self_attn", "cross_attention": "multihead_attn"}
        theirs = {"embedding.weight": ours["embedding.weight"], "output.weight": ours["embedding.weight"], "output.bias": ours["output.bias"]}
        for stack, norms in (
            ("encoder", ["self_attention_norm", "feed_forward_norm"]),
            ("decoder", ["self_attention_norm", "cross_attention_norm", "feed_forward_norm"]),
        ):
            for kind in ("weight", "bias"):
                theirs[f"transformer.{stack}.norm.{kind}"] = ours[f"{stack}_norm.{kind}"]
                for number in range(num_layers):
                    layer, own = f"transformer.{stack}.layers.{number}", f"{stack}{number + 1}"
                    for place, norm in enumerate(norms, 1):
                        theirs[f"{layer}.norm{place}.{kind}"] = ours[f"{own}.{norm}.{kind}"]
                    theirs[f"{layer}.linear1.{kind}"] = ours[f"{own}.feed_forward.hidden.{kind}"]
                    theirs[f"{layer}.linear2.{kind}"] = ours[f"{own}.feed_forward.output.{kind}"]
                    for norm in norms[:-1]:
                        attention = norm.removesuffix("_norm")
                        three = [ours[f"{own}.{attention}.{part}.{kind}"] for part in ("query", "key", "value")]
                        theirs[f"{layer}.{names[attention]}.in_proj_{kind}"] = torch.cat(three)
                        theirs[f"{layer}.{names[attention]}.out_proj.{kind}"] = ours[f"{own}.{attention}.output.{kind}"]
        self.load_state_dict(theirs)


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.query, self.key, self.value, self.output = (nn.Linear(size, size) for _ in range(4))

    def forward(self, queries, memory, mask=None, causal=False):
        def heads(tokens):
            return tokens.view(len(tokens), -1, num_heads, size // num_heads).transpose(1, 2)

        found = nn.functional.scaled_dot_product_attention(
            heads(self.query(queries)),
            heads(self.key(memory)),
            heads(self.value(memory)),
            attn_mask=mask,
            dropout_p=work["dropout"] if self.training else 0.0,
            is_causal=causal,
        )
        return self.output(found.transpose(1, 2).flatten(2))


class FeedForward(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(size, work["feed_forward_size"])
        self.output = nn.Linear(work["feed_forward_size"], size)

    def forward(self, tokens):
        return self.output(nn.functional.relu(self.hidden(tokens)))


class Layer(nn.Module):
    def __init__(self, cross):
        super().__init__()
        self.self_attention_norm, self.self_attention = nn.LayerNorm(size), Attention()
        if cross:
            self.cross_attention_norm, self.cross_attention = nn.LayerNorm(size), Attention()
        self.feed_forward_norm, self.feed_forward = nn.LayerNorm(size), FeedForward()

    def forward(self, tokens, mask=None, memory=None):
        normal = self.self_attention_norm(tokens)
        if memory is None:
            found = self.self_attention(normal, normal, mask)
        else:
            found = self.self_attention(normal, normal, causal=True)
        tokens = tokens + dropout(found)
        if memory is not None:
            tokens = tokens + dropout(self.cross_attention(self.cross_attention_norm(tokens), memory, mask))
        return tokens + dropout(self.feed_forward(self.feed_forward_norm(tokens)))


class Best(Translator):
    """The same in as few operations as PyTorch allows."""

    def __init__(self):
        super().__init__()
        for number in range(1, num_layers + 1):
            setattr(self, f"encoder{number}", Layer(cross=False))
            setattr(self, f"decoder{number}", Layer(cross=True))
        self.encoder_norm, self.decoder_norm = nn.LayerNorm(size), nn.LayerNorm(size)

    def forward(self, source, decoder_input):
        mask = (source != work["padding"])[:, None, None, :]
        memory, tokens = self.place(source), self.place(decoder_input)
        for number in range(1, num_layers + 1):
            memory = getattr(self, f"encoder{number}")(memory, mask)
        memory = self.encoder_norm(memory)
        for number in range(1, num_layers + 1):
            tokens = getattr(self, f"decoder{number}")(tokens, mask, memory)
        return self.output(self.decoder_norm(tokens))

    def load(self, ours):
        self.load_state_dict(ours | {"output.weight": ours["embedding.weight"]})


def loss(model, source, decoder_input, labels):
    logits = model(source, decoder_input)
    smoothing = work["label_smoothing"]
    return nn.functional.cross_entropy(
        logits.flatten(0, 1), labels.flatten(), ignore_index=work["padding"], label_smoothing=smoothing
    )


best = side == "pytorch_best"
batches = [[torch.tensor(batch[key]) for key in ("source", "decoder_input", "labels")] for batch in work["batches"]]
model = Best() if best else Stock()
model.load(read_weights())
parameters = list(model.parameters())
optimizer = torch.optim.Adam(parameters, lr=work["learning_rate"], **({"fused": True} if best else {}))
results = {}
for number, batch in enumerate(batches):
    if number == work["warm_ups"]:
        begin, tokens = time.perf_counter(), 0
    optimizer.zero_grad()
    loss(model, *batch).backward()
    nn.utils.clip_grad_norm_(parameters, work["clip_norm"])
    optimizer.step()
    if number == 0:
        results["first_step_s"] = since_start()
    if number >= work["warm_ups"]:
        tokens += work["batches"][number]["tokens"]
results["tokens_per_s"] = tokens / (time.perf_counter() - begin)

model.load(read_weights())
model.eval()
dropout.eval()
results["loss"] = float(loss(model, *batches[0]))
finish(results)
