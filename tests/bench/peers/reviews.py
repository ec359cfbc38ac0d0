"""Reviews as tokens, as one prepares them without a library: words by a regular expression, the most
frequent ones as the vocabulary, long texts cut as our side cuts them."""

import csv
import gzip
import re
from collections import Counter

import numpy as np

WORD = re.compile(r"\w+(?:'\w+)*|[^\w\s]")
TAG = re.compile(r"<[^>]*>")
PADDING, UNKNOWN = 0, 1


def read(path, vocabulary, length, held_back):
    """Tokens of `length` places, padded in front, and answers: to learn from, and held back."""
    with gzip.open(path, "rt", newline="") as file:
        rows = list(csv.reader(file))[1:]
    order = np.random.default_rng(42).permutation(len(rows))
    words = [WORD.findall(TAG.sub(" ", text).lower()) for text, _ in rows]
    answers = np.array([label == "1" for _, label in rows], np.float32)
    training = order[int(len(rows) * held_back) :]
    counts = Counter()
    for row in training:
        counts.update(words[row])
    known = {word: i for i, (word, _) in enumerate(counts.most_common(vocabulary - 2), 2)}
    tokens = np.zeros((len(rows), length), np.int32)
    for row, text in enumerate(words):
        if len(text) > length:
            text = text[: length // 4] + text[len(text) - (length - length // 4) :]
        tokens[row, length - len(text) :] = [known.get(word, UNKNOWN) for word in text]
    parts = training, order[: int(len(rows) * held_back)]
    return [(tokens[part], answers[part]) for part in parts]
