"""FastAPI around onnxruntime. MODEL names the folder of the published model."""

import os

from fastapi import FastAPI
from pydantic import BaseModel

from published import Published

app = FastAPI()
model = Published(os.environ["MODEL"])


class Asked(BaseModel):
    rows: list[dict[str, float | str]]


# on the event loop: a thread for each request costs more than a model this small
@app.post("/predict")
async def predict(asked: Asked):
    return {"predictions": model.answers(asked.rows)}
