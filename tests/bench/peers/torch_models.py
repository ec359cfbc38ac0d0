"""The reference models in PyTorch, as one writes them there, and how a step of training is made."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

WIDTH, HEADS, LAYERS, INNER, CONTEXT = 128, 4, 4, 512, 128


class Mlp(nn.Sequential):
    def __init__(self):
        super().__init__(
            nn.Linear(30, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 1)
        )


class BiLstm(nn.Module):
    """`nn.LSTM` adds two biases to the same sum; one of them stays 0, so that the network is ours."""

    def __init__(self, vocabulary=20000, width=32, dropout=0.0):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.lstm = nn.LSTM(width, 32, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(64, 1)
        nn.init.uniform_(self.embedding.weight, -0.05, 0.05)
        for name, parameter in self.lstm.named_parameters():
            if name.startswith("bias_hh"):
                nn.init.zeros_(parameter)
                parameter.requires_grad_(False)

    def forward(self, tokens, lengths=None):
        x = self.dropout(self.embedding(tokens))
        if lengths is not None:
            x = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        _, (last, _) = self.lstm(x)
        return self.output(torch.cat([last[0], last[1]], 1))


class Block(nn.Module):
    def __init__(self, causal):
        super().__init__()
        self.causal = causal
        self.norm_1 = nn.LayerNorm(WIDTH, eps=1e-5)
        self.attention = nn.Linear(WIDTH, 3 * WIDTH)
        self.output = nn.Linear(WIDTH, WIDTH)
        self.norm_2 = nn.LayerNorm(WIDTH, eps=1e-5)
        self.inner = nn.Linear(WIDTH, INNER)
        self.outer = nn.Linear(INNER, WIDTH)

    def forward(self, x):
        rows, length, _ = x.shape
        parts = self.attention(self.norm_1(x)).split(WIDTH, dim=2)
        query, key, value = (
            part.view(rows, length, HEADS, WIDTH // HEADS).transpose(1, 2) for part in parts
        )
        seen = F.scaled_dot_product_attention(query, key, value, is_causal=self.causal)
        x = x + self.output(seen.transpose(1, 2).reshape(rows, length, WIDTH))
        return x + self.outer(F.gelu(self.inner(self.norm_2(x))))


class Transformer(nn.Module):
    def __init__(self, causal):
        super().__init__()
        self.causal = causal
        self.embedding = nn.Embedding(8000, WIDTH)
        place = np.arange(CONTEXT)[:, None] / 10000 ** (np.arange(0, WIDTH, 2) / WIDTH)
        waves = np.stack([np.sin(place), np.cos(place)], 2).reshape(CONTEXT, WIDTH)
        self.register_buffer("positions", torch.tensor(waves, dtype=torch.float32))
        self.blocks = nn.Sequential(*(Block(causal) for _ in range(LAYERS)))
        self.norm = nn.LayerNorm(WIDTH, eps=1e-3)
        self.output = nn.Linear(WIDTH, 8000 if causal else 1)

    def forward(self, tokens):
        x = self.embedding(tokens) * WIDTH**0.5 + self.positions[: tokens.shape[1]]
        x = self.norm(self.blocks(x))
        return self.output(x if self.causal else x.mean(1))


class Cnn(nn.Sequential):
    def __init__(self):
        super().__init__(
            nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(1600, 128), nn.ReLU(), nn.Linear(128, 10),
        )  # fmt: skip


def binary(logits, truth):
    return F.binary_cross_entropy_with_logits(logits[:, 0], truth)


def of_tokens(logits, truth):
    return F.cross_entropy(logits.flatten(0, 1), truth.flatten())


# name: the network, its loss, and made-up data of so many rows
MODELS = {
    "mlp": (Mlp, binary, lambda g, n: (numbers(g, n, 30), answers(g, n))),
    "bilstm": (BiLstm, binary, lambda g, n: (tokens(g, 20000, n, 200), answers(g, n))),
    "encoder": (
        lambda: Transformer(False), binary,
        lambda g, n: (tokens(g, 8000, n, CONTEXT), answers(g, n)),
    ),
    "decoder": (
        lambda: Transformer(True), of_tokens,
        lambda g, n: (tokens(g, 8000, n, CONTEXT), tokens(g, 8000, n, CONTEXT)),
    ),
    "cnn": (
        Cnn, F.cross_entropy,
        lambda g, n: (numbers(g, n, 1, 28, 28), torch.from_numpy(g.integers(0, 10, n))),
    ),
}  # fmt: skip


def numbers(generator, *shape):
    return torch.from_numpy(generator.random(shape, dtype=np.float32))


def tokens(generator, vocabulary, *shape):
    return torch.from_numpy(generator.integers(2, vocabulary, shape))


def answers(generator, rows):
    return torch.from_numpy(generator.integers(0, 2, rows).astype(np.float32))


def prepare(settings):
    """What holds for the whole process."""
    torch.set_num_threads(settings["threads"])
    torch.set_flush_denormal(True)
    torch.manual_seed(42)


def parameters(model):
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def adam(model, settings, rate=0.001):
    trained = [p for p in model.parameters() if p.requires_grad]
    return torch.optim.Adam(trained, lr=rate, eps=1e-7, fused=settings["fused"])


