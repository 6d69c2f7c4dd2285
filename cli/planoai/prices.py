"""The file with the prices of models that `routing.price_file` names."""

from pathlib import Path

import yaml

from planoai.errors import PlanoError

_REMEDY = "Write a line such as `openai/gpt-5-mini: {input: 0.25, output: 2}`: US dollars for a million tokens."


def load_prices(path: Path) -> dict[str, float]:
    """Model → dollars for a million tokens in and a million out. Raises PlanoError."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "is not UTF-8 text"
        raise PlanoError(
            f"routing.price_file: {path}: {reason}", "Check the path; it is relative to config.yaml."
        ) from None
    return parse_prices(text, str(path))


def parse_prices(text: str, file: str) -> dict[str, float]:
    """The same for the text of the file; `file` is its name for messages. Raises PlanoError."""
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = file if mark is None else f"{file}:{mark.line + 1}"
        raise PlanoError(f"{where}: is not valid YAML", _REMEDY) from None
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise PlanoError(f"{file}: must be a mapping from models to prices", _REMEDY)
    return {str(model): _sum(price, str(model), file) for model, price in data.items()}


def _sum(price: object, model: str, file: str) -> float:
    if isinstance(price, dict):
        parts = [price.get("input"), price.get("output")]
        if all(_is_price(part) for part in parts):
            return float(sum(parts))  # type: ignore[arg-type]
    elif _is_price(price):
        return float(price)  # type: ignore[arg-type]
    raise PlanoError(f"{file}: the price of {model} must be a number, or `input` and `output` as numbers", _REMEDY)


def _is_price(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0
