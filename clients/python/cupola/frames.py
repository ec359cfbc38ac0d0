"""Between pandas and the platform: frames as CSV and as rows, answers as columns beside them. pandas is imported only
where a frame is given or asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from . import models

if TYPE_CHECKING:
    import pandas

Frame: TypeAlias = "pandas.DataFrame"


def is_frame(data: object) -> bool:
    """Without importing pandas: who has made one has done that."""
    kind = type(data)
    return kind.__name__ == "DataFrame" and kind.__module__.split(".")[0] == "pandas"


def csv(frame: Frame) -> bytes:
    """A header line, then rows; missing is empty."""
    import pandas

    columns = [cells(frame.iloc[:, place]) for place in range(frame.shape[1])]
    written = pandas.DataFrame(dict(enumerate(map(written_cells, columns))), dtype=object)
    return bytes(written.to_csv(index=False, header=[str(name) for name in frame.columns]).encode())


def rows(frame: Frame) -> list[dict[str, Any]]:
    """Column to value, as a prediction asks for."""
    names = [str(name) for name in frame.columns]
    columns = [cells(frame.iloc[:, place]) for place in range(len(names))]
    return [dict(zip(names, row)) for row in zip(*columns)] if columns else []


def cells(column: Any) -> list[Any]:
    """Values as JSON has them: None where one is missing, times in ISO 8601, the day alone where all are midnights."""
    missing = column.isna().tolist()
    if getattr(column.dtype, "kind", "") == "M":
        days = (column.dropna() == column.dropna().dt.normalize()).all()
        column = column.map(lambda time: time.strftime("%Y-%m-%d") if days else time.isoformat(), na_action="ignore")
    return [None if is_missing else plain(cell) for cell, is_missing in zip(column.tolist(), missing)]


def plain(cell: Any) -> Any:
    if hasattr(cell, "isoformat"):
        return cell.isoformat()
    return cell.item() if hasattr(cell, "item") else cell


def written_cells(column: Iterable[Any]) -> list[Any]:
    """As the platform writes truth."""
    return [str(cell).lower() if isinstance(cell, bool) else cell for cell in column]


def answered(frame: Frame, predictions: Sequence[Mapping[str, Any]]) -> Frame:
    """The answers, on the frame's index where there is one for each row; of a forecast a line for each step."""
    import pandas

    if predictions and "times" in predictions[0]:
        steps = [
            {"series": prediction.get("series"), "time": time, "prediction": value}
            for prediction in predictions
            for time, value in zip(prediction["times"], prediction["values"])
        ]
        return pandas.DataFrame(steps, columns=["series", "time", "prediction"])
    return pandas.DataFrame([columns(prediction) for prediction in predictions], index=frame.index)


def columns(prediction: Mapping[str, Any]) -> dict[str, Any]:
    if "probabilities" in prediction:
        of = prediction["probabilities"]
        each = {f"probability_{name}": probability for name, probability in of.items()}
        return {"prediction": prediction["class"], "probability": of[prediction["class"]], **each}
    if "top" in prediction:
        best = prediction["top"][0]
        return {"prediction": best["class"], "probability": best["probability"], "top": prediction["top"]}
    for name in ("value", "text", "items"):
        if name in prediction:
            return {"prediction": prediction[name]}
    return dict(prediction)


def history(series: Mapping[str, list[models.MetricPoint]]) -> Frame:
    """A job's metrics, a line for each epoch; those of single batches are left out."""
    import pandas

    by_epoch = {
        name: pandas.Series({point["epoch"]: point.get("value") for point in points})
        for name, points in series.items()
        if len({point["epoch"] for point in points}) == len(points)
    }
    made = pandas.DataFrame({name: by_epoch[name] for name in sorted(by_epoch)})
    made.index.name = "epoch"
    return made.sort_index()

