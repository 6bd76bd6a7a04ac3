"""One side of `cargo course bench embedder`: the same sentences and weights in sentence-transformers (PyTorch) or ONNX Runtime.

Usage: python - pytorch|onnxruntime MODEL SENTENCES REPEATS. Prints one JSON object. Install the peers into a virtual environment with
`pip install sentence-transformers onnxruntime onnx onnxscript`, and pass its interpreter as --python. ONNX Runtime gets the model as
PyTorch exports it; the export is kept beside the sentences and is no part of what is timed.
"""
import subprocess

folder, file, repeats = sys.argv[2], sys.argv[3], int(sys.argv[4])
sentences = open(file, encoding="utf-8").read().splitlines()
BATCH, MAX_LENGTH = 32, 256

EXPORT = """
import sys, torch, transformers
folder, target = sys.argv[1:]
model = transformers.AutoModel.from_pretrained(folder, attn_implementation="eager").eval()
class Plain(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.model = model
    def forward(self, ids, mask, kinds):
        return self.model(input_ids=ids, attention_mask=mask, token_type_ids=kinds).last_hidden_state
ids = torch.ones(2, 9, dtype=torch.int64)
names = ["ids", "mask", "kinds"]
axes = {name: {0: "batch", 1: "time"} for name in names + ["tokens"]}
torch.onnx.export(Plain(), (ids, ids, ids * 0), target, input_names=names, output_names=["tokens"], dynamic_axes=axes, dynamo=False)
"""


if side == "pytorch":
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(threads)
    model = SentenceTransformer(folder, device="cpu")

    def embed(sentences):
        return model.encode(sentences, batch_size=BATCH, show_progress_bar=False)
else:
    import numpy
    import onnxruntime
    import tokenizers

    target = os.path.join(os.path.dirname(file), "model.onnx")
    if not os.path.exists(target):
        begin = time.time()
        done = subprocess.run([sys.executable, "-c", EXPORT, folder, target], capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit("no ONNX model: " + (done.stderr.strip().splitlines() or ["the export failed"])[-1])
        # The export is no part of the time to the first vector.
        started += time.time() - begin
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(target, options, providers=["CPUExecutionProvider"])
    tokenizer = tokenizers.Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
    tokenizer.enable_truncation(MAX_LENGTH)
    tokenizer.no_padding()

    def embed(sentences):
        encodings = tokenizer.encode_batch(sentences)
        order = sorted(range(len(sentences)), key=lambda place: -len(encodings[place].ids))
        vectors = [None] * len(sentences)
        for start in range(0, len(order), BATCH):
            places = order[start:start + BATCH]
            longest = len(encodings[places[0]].ids)
            ids = numpy.zeros((len(places), longest), dtype=numpy.int64)
            mask = numpy.zeros_like(ids)
            for row, place in enumerate(places):
                ids[row, :len(encodings[place].ids)] = encodings[place].ids
                mask[row, :len(encodings[place].ids)] = 1
            tokens = session.run(None, {"ids": ids, "mask": mask, "kinds": ids * 0})[0]
            weights = mask[:, :, None].astype(numpy.float32)
            means = (tokens * weights).sum(1) / weights.sum(1)
            means /= numpy.linalg.norm(means, axis=1, keepdims=True)
            for place, vector in zip(places, means):
                vectors[place] = vector
        return numpy.stack(vectors)


first = embed(sentences[:1])[0]
results = {"first_vector_s": since_start(), "vector": [float(number) for number in first]}
results["many_ms"] = median(repeats, 2, lambda: embed(sentences))
results["one_ms"] = median(4 * repeats, 2, lambda: embed(sentences[:1]))
finish(results)
