"""One side of `cargo course bench embeddings`: the same sentences and settings in gensim.

Usage: python - gensim FOLDER SETTINGS. Prints one JSON object. Install it into a virtual environment with `pip install gensim`, and pass
its interpreter as --python.
"""
from gensim.models import word2vec

if word2vec.FAST_VERSION < 0:
    raise SystemExit("gensim was installed without its compiled loops")
folder, settings = sys.argv[2], json.loads(sys.argv[3])
with open(os.path.join(folder, "sentences.txt"), encoding="utf-8") as file:
    sentences = [line.split() for line in file]
questions = os.path.join(folder, "questions.txt")
words = sum(map(len, sentences)) * settings["epochs"]
results = {}
for mode, sg in (("skip_gram", 1), ("cbow", 0)):
    model = word2vec.Word2Vec(sg=sg, **settings)
    model.build_vocab(sentences)
    begin = time.perf_counter()
    model.train(sentences, total_examples=model.corpus_count, epochs=settings["epochs"])
    results[f"{mode}_words_per_s"] = words / (time.perf_counter() - begin)
    if os.path.getsize(questions):
        results[f"{mode}_accuracy"] = model.wv.evaluate_word_analogies(questions)[0]
finish(results)
