"""Saves the published model of the first folder as a model of MLflow in the second."""

import sys
from pathlib import Path

import mlflow


class Model(mlflow.pyfunc.PythonModel):
    def load_context(self, context):
        from published import Published

        self.model = Published(context.artifacts["model"])

    def predict(self, context, model_input, params=None):
        return self.model.answers(model_input.to_dict("records"))


mlflow.pyfunc.save_model(
    sys.argv[2],
    python_model=Model(),
    artifacts={"model": sys.argv[1]},
    code_paths=[str(Path(__file__).with_name("published.py"))],
    pip_requirements=[],
)
