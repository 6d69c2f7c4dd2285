"""Questions about the schema: which object stands at a path, what a key takes, which keys change nothing."""

from collections.abc import Iterator
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from planoai.config.problems import Path
from planoai.config.schema import NoEffect, PlanoConfig

Container = Literal["none", "list", "mapping"]


@dataclass(frozen=True)
class FieldShape:
    """What a key takes: an object of the schema (or a list or mapping of them), or plain values."""

    model: type[BaseModel] | None
    container: Container


def shape_of(annotation: object) -> FieldShape:
    """The shape of a type annotation of the schema."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return shape_of(arguments[0])
    if origin in (Union, UnionType):
        return shape_of(next(argument for argument in arguments if argument is not type(None)))
    if origin is tuple:
        return FieldShape(shape_of(arguments[0]).model, "list")
    if origin is dict:
        return FieldShape(shape_of(arguments[1]).model, "mapping")
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return FieldShape(annotation, "none")
    return FieldShape(None, "none")


def model_at(path: Path) -> type[BaseModel] | None:
    """The object of the schema that stands at `path`, None where there is a plain value or nothing."""
    model: type[BaseModel] | None = PlanoConfig
    container: Container = "none"
    for part in path:
        if container != "none":
            container = "none"
            continue
        if model is None or not isinstance(part, str) or part not in model.model_fields:
            return None
        shape = shape_of(model.model_fields[part].annotation)
        model, container = shape.model, shape.container
    return model if container == "none" else None


def no_effect(field: FieldInfo) -> NoEffect | None:
    """The mark of a key that changes nothing."""
    return next((mark for mark in field.metadata if isinstance(mark, NoEffect)), None)


def set_without_effect(value: object, path: Path = ()) -> Iterator[tuple[Path, NoEffect]]:
    """Every key that was given in a configuration and changes nothing."""
    if isinstance(value, BaseModel):
        for name, field in type(value).model_fields.items():
            mark = no_effect(field)
            if mark is not None and name in value.model_fields_set:
                yield (*path, name), mark
            elif mark is None:
                yield from set_without_effect(getattr(value, name), (*path, name))
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from set_without_effect(item, (*path, index))
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from set_without_effect(item, (*path, key))


def keys_anywhere() -> dict[str, list[str]]:
    """For every key of the schema the objects that it may stand in, as text."""
    places: dict[str, list[str]] = {}
    for where, model in objects():
        for name in model.model_fields:
            places.setdefault(name, []).append(where)
    return places


def objects() -> Iterator[tuple[str, type[BaseModel]]]:
    """Every place of an object in the schema, as text (`model_providers[].timeouts`); what is inside it comes next."""

    def inside(where: str, model: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel]]]:
        yield where, model
        for name, field in model.model_fields.items():
            shape = shape_of(field.annotation)
            if shape.model is not None:
                suffix = {"none": "", "list": "[]", "mapping": ".NAME"}[shape.container]
                yield from inside(f"{where}.{name}{suffix}".removeprefix("."), shape.model)

    yield from inside("", PlanoConfig)


def schema_path(path: Path) -> str:
    """A path into a configuration in the words of `objects`, as far as lists go."""
    text = ""
    for part in path:
        text += "[]" if isinstance(part, int) else f".{part}" if text else part
    return text
