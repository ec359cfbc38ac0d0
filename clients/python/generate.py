"""Writes `cupola/models.py` and `cupola/operations.py` from the platform's OpenAPI document.

    python3 generate.py ../../docs/openapi.json cupola

Every schema becomes a type (objects are TypedDicts: what the API answers is what one gets), every operation a
method. The Hub's routes and those of the Open Inference Protocol are left out: they have clients of their own.
Only the standard library is needed, and the same document gives the same files.
"""

from __future__ import annotations

import json
import keyword
import re
import sys
import textwrap
from pathlib import Path
from typing import Any

Schema = dict[str, Any]

OTHERS_SPEAK = {"hub", "inference"}
# they change nothing, or find what an earlier request has made, so that a broken connection may repeat them
MAY_REPEAT = {"push_dataset", "predict", "predict_by_endpoint", "advise", "dry_run_job", "dry_run_batch_predict"}
SCALARS = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}
WIDTH = 110
HEAD = '"""{about}\n\nMade by `make python-client` from docs/openapi.json: do not edit.\n"""\n\n'


def class_name(name: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"[^A-Za-z0-9]+", name))


def argument_name(name: str) -> str:
    name = name.lower().replace("-", "_")
    return name + "_" if keyword.iskeyword(name) else name


def wrapped(text: str, indent: str, begin: str = "") -> list[str]:
    lines: list[str] = []
    for paragraph in text.strip().split("\n\n"):
        lines += [] if not lines else [begin.rstrip()]
        lines += textwrap.wrap(" ".join(paragraph.split()), WIDTH - len(indent) - len(begin), break_long_words=False)
    return [f"{indent}{'' if line == begin.rstrip() else begin}{line}".rstrip() for line in lines]


def shape(schema: Schema) -> str:
    """The same for schemas that differ in their words alone."""

    def bare(value: Any, is_schema: bool = True) -> Any:
        if isinstance(value, dict):
            skip = {"description", "examples"} if is_schema else set()
            return {key: bare(inner, key != "properties") for key, inner in value.items() if key not in skip}
        return [bare(inner) for inner in value] if isinstance(value, list) else value

    return json.dumps(bare(schema), sort_keys=True)


def alias(name: str, expression: str, about: str) -> str:
    parts = re.split(r" \| (?![^\[]*\])", expression)
    # what is not there yet is named by its name
    parts = [part if part in SCALARS.values() or part.startswith("Literal[") else quoted(part) for part in parts]
    kind, values = ("Union", parts) if len(parts) > 1 else ("", parts)
    if not kind and parts[0].startswith("Literal["):
        kind, values = "Literal", parts[0].removeprefix("Literal[").removesuffix("]").split(", ")
    lines = [f"{name}: TypeAlias = {kind}[{', '.join(values)}]" if kind else f"{name}: TypeAlias = {parts[0]}"]
    if len(lines[0]) > WIDTH:
        lines = [f"{name}: TypeAlias = {kind}[", *[f"    {value}," for value in values], "]"]
    return "\n".join([*(wrapped(about, "", "# ") if about else []), *lines])


def quoted(text: str) -> str:
    return repr(text) if '"' in text else f'"{text}"'


class Types:
    """The schemas as Python's types, each written once, when something needs it."""

    def __init__(self, schemas: dict[str, Schema]) -> None:
        self.schemas = schemas
        self.written: dict[str, str] = {}
        # the document repeats what a page's items are in place
        self.known = {shape(schema): name for name, schema in schemas.items() if "properties" in schema}

    def of(self, schema: Schema, where: str) -> str:
        """The type as an expression; what it needs is written under names that begin with `where`."""
        if "$ref" in schema:
            return self.named(schema["$ref"].rsplit("/", 1)[-1])
        if "oneOf" in schema:
            return self.union(schema["oneOf"], where)
        if "allOf" in schema:
            return self.objects(self.variants(schema), where, schema.get("description", ""))
        if "enum" in schema:
            return f"Literal[{', '.join(json.dumps(value) for value in schema['enum'])}]"
        kinds = schema.get("type")
        if isinstance(kinds, list):
            return " | ".join(self.of({**schema, "type": kind}, where) for kind in kinds)
        if kinds == "array":
            return f"list[{self.of(schema.get('items', {}), where + 'Item')}]"
        if kinds == "object":
            if schema.get("properties"):
                name = self.known.get(shape(schema))
                return self.named(name) if name else self.objects([schema], where, schema.get("description", ""))
            values = schema.get("additionalProperties")
            return f"dict[str, {self.of(values, where + 'Value') if isinstance(values, dict) else 'Any'}]"
        if schema.get("format") == "binary":
            return "bytes"
        return SCALARS.get(kinds or "", "Any")

    def named(self, name: str) -> str:
        written = class_name(name)
        if written not in self.written:
            schema, self.written[written] = self.schemas[name], ""  # so that a schema which holds itself ends
            about = schema.get("description", "")
            if schema.get("properties"):
                self.written[written] = self.typed_dict(written, schema, about)
            elif (expression := self.of(schema, written)) != written:
                self.written[written] = alias(written, expression, about)
        return written

    def union(self, schemas: list[Schema], where: str) -> str:
        parts: list[str] = []
        # an object without a name gets one by what it has and the others have not
        objects = [schema for schema in schemas if "properties" in schema or "allOf" in schema]
        for schema in schemas:
            name = where if len(objects) < 2 and len(schemas) == 2 and {"type": "null"} in schemas else None
            name = name or where + self.own_word(schema, objects, schemas.index(schema))
            parts.append(self.of(schema, name))
        return " | ".join(dict.fromkeys(parts))

    def own_word(self, schema: Schema, others: list[Schema], place: int) -> str:
        variants = self.variants(schema) if schema in others else []
        if len(variants) != 1:
            return str(place + 1)
        fields = variants[0]["properties"]
        for name, field in fields.items():
            values = field.get("enum", [])
            if len(values) == 1 and name in variants[0].get("required", []):
                return class_name(values[0])
        theirs = [key for other in others if other is not schema for key in self.variants(other)[0]["properties"]]
        own = [name for name in variants[0].get("required", []) if name not in theirs]
        return class_name(own[0]) if own else str(place + 1)

    def variants(self, schema: Schema) -> list[Schema]:
        """The objects that it may be, with all of their fields."""
        if "$ref" in schema:
            return self.variants(self.schemas[schema["$ref"].rsplit("/", 1)[-1]])
        if "oneOf" in schema:
            return [variant for one in schema["oneOf"] for variant in self.variants(one)]
        if "allOf" not in schema:
            return [schema]
        made: list[Schema] = [{"type": "object", "properties": {}, "required": []}]
        for part in schema["allOf"]:
            made = [
                {
                    "type": "object",
                    "description": variant.get("description") or one.get("description", ""),
                    "properties": {**one["properties"], **variant.get("properties", {})},
                    "required": [*one["required"], *variant.get("required", [])],
                }
                for one in made
                for variant in self.variants(part)
            ]
        return made

    def objects(self, variants: list[Schema], where: str, about: str) -> str:
        names = []
        for place, variant in enumerate(variants):
            name = where if len(variants) == 1 else where + self.own_word(variant, variants, place)
            if self.written.get(name):
                raise SystemExit(f"two types would be called {name}")
            self.written[name] = " "
            self.written[name] = self.typed_dict(name, variant, variant.get("description") or about)
            names.append(name)
        return " | ".join(names)

    def typed_dict(self, name: str, schema: Schema, about: str) -> str:
        fields = []
        for field, inner in schema["properties"].items():
            expression = self.of(inner, name + class_name(field))
            if field not in schema.get("required", []):
                expression = f"NotRequired[{expression}]"
            said = inner.get("description", "")
            said = said or " ".join(one.get("description", "") for one in inner.get("oneOf", []))
            fields.append((field, expression, said.strip()))
        by_class = all(field.isidentifier() and not keyword.iskeyword(field) for field, _, _ in fields)
        lines = [f"class {name}(TypedDict):"] if by_class else [*wrapped(about, "", "# "), f"{name} = TypedDict("]
        lines += [] if by_class else [f'    "{name}",', "    {"]
        if by_class and about:
            lines += docstring(about, "    ")
        indent = "    " if by_class else "        "
        for field, expression, said in fields:
            lines += wrapped(said, indent, "# ") if said else []
            # quoted where nothing else puts off what it names
            entry = f"{field}: {expression}" if by_class else f"{quoted(field)}: {quoted(expression)},"
            lines.append(indent + entry)
        return "\n".join(lines if by_class else [*lines, "    },", ")"])

    def source(self) -> str:
        head = HEAD.format(about="What the API takes and answers, as types.")
        head += "from __future__ import annotations\n\n"
        head += "from typing import Any, Literal, NotRequired, TypeAlias, TypedDict, Union\n"
        body = [text for _, text in sorted(self.written.items()) if text.strip()]
        return head + "".join(f"\n\n{text}\n" for text in body)


def docstring(text: str, indent: str) -> list[str]:
    lines = wrapped(text.replace("\\", "\\\\").replace('"""', "'''"), indent)
    if len(lines) == 1 and len(lines[0]) + 6 <= WIDTH:
        return [f'{indent}"""{lines[0].strip()}"""']
    lines[0] = f'{indent}"""{lines[0].strip()}'
    return [*lines, f'{indent}"""']


def prefixed(expression: str, names: set[str]) -> str:
    return re.sub(r"\b[A-Z]\w*\b(?![\"'])", lambda m: f"models.{m[0]}" if m[0] in names else m[0], expression)


def operation(types: Types, method: str, path: str, said: Schema) -> str:
    name = said["operationId"]
    where = class_name(name)
    groups: dict[str, dict[str, str]] = {"path": {}, "query": {}, "header": {}}
    arguments: list[str] = []
    options: list[str] = []
    for parameter in said.get("parameters", []):
        own = argument_name(parameter["name"])
        kind = prefixed(types.of(parameter["schema"], where + class_name(parameter["name"])), set(types.written))
        groups[parameter["in"]][parameter["name"]] = own
        if parameter["in"] == "path":
            arguments.append(f"{own}: {kind}")
        elif parameter.get("required"):
            arguments.append(f"{own}: {kind}")
        else:
            options.append(f"{own}: {kind if 'None' in kind else kind + ' | None'} = None")
    call = [f'"{method.upper()}"', f'"{path}"']
    for group, keyword_name in [("path", "parts"), ("query", "query"), ("header", "headers")]:
        if groups[group]:
            inner = ", ".join(f'"{wire}": {own}' for wire, own in groups[group].items())
            call.append(f"{keyword_name}={{{inner}}}")
    content = said.get("requestBody", {}).get("content", {})
    if "application/json" in content:
        body = types.of(content["application/json"]["schema"], where + "Body")
        arguments.append(f"body: {prefixed(body, set(types.written))}")
        call.append("body=body")
    elif content:
        arguments += ["content: Content", "content_type: str"]
        call += ["content=content", "content_type=content_type"]
    if method in ("get", "put") or name in MAY_REPEAT or "Idempotency-Key" in groups["header"]:
        call.append("may_repeat=True")
    how, answers = answer(types, said, where)
    signature = ", ".join(["self", *arguments, *(["*", *options] if options else [])])
    lines = [f"    def {name}({signature}) -> {answers}:"]
    if len(lines[0]) > WIDTH:
        parts = ["self", *arguments, *(["*", *options] if options else [])]
        lines = [f"    def {name}(", *[f"        {part}," for part in parts], f"    ) -> {answers}:"]
    about = "\n\n".join(filter(None, [said.get("summary"), said.get("description"), f"`{method.upper()} {path}`"]))
    lines += docstring(about, "        ")
    lines += assigned("call", f"Call({', '.join(call)})", call)
    if how == "json":
        lines += [f"        answer: {answers} = self._transport.json(call)", "        return answer"]
    else:
        lines.append(f"        {'' if how == 'nothing' else 'return '}self._transport.{how}(call)")
    return "\n".join(lines)


def assigned(name: str, made: str, parts: list[str]) -> list[str]:
    if len(made) + len(name) + 11 <= WIDTH:
        return [f"        {name} = {made}"]
    lines = [f"        {name} = Call("]
    for part in parts:
        before, brace, inner = part.partition("{")
        if brace and before and len(part) + 13 > WIDTH:
            entries = inner.removesuffix("}").split(", ")
            lines += [f"            {before}{{", *[f"                {entry}," for entry in entries], "            },"]
        else:
            lines.append(f"            {part},")
    return [*lines, "        )"]


def answer(types: Types, said: Schema, where: str) -> tuple[str, str]:
    """How the answer of a success is read, and its type."""
    for status, response in sorted(said["responses"].items()):
        if not status.startswith("2"):
            continue
        content = response.get("content", {})
        if not content:
            return "nothing", "None"
        refs = [inner.get("schema", {}).get("$ref", "") for inner in content.values()]
        if any(ref.endswith("/FileBytes") for ref in refs) or list(content) == ["text/event-stream"]:
            return "stream", "Streamed"
        if "application/json" in content:
            schema = content["application/json"].get("schema", {})
            return "json", prefixed(types.of(schema, where + "Answer"), set(types.written))
        return "text", "str"
    raise SystemExit(f"{where} never succeeds")


def operations(types: Types, paths: Schema) -> str:
    head = HEAD.format(about="A method for each operation of the API, under the operation's own name.")
    head += "from __future__ import annotations\n\nfrom typing import Any, Literal\n\nfrom . import models\n"
    head += "from .transport import Call, Content, Streamed, Transport\n\n\n"
    head += 'class Operations:\n    """The API as it is: one request each, answers as they came."""\n\n'
    head += "    def __init__(self, transport: Transport) -> None:\n        self._transport = transport\n"
    made = []
    for path, item in sorted(paths.items()):
        for method, said in sorted(item.items()):
            if not OTHERS_SPEAK & set(said["tags"]):
                made.append(operation(types, method, path, said))
    return head + "".join(f"\n{text}\n" for text in made)


def generate(document: Schema) -> dict[str, str]:
    """The files by their names."""
    types = Types(document["components"]["schemas"])
    methods = operations(types, document["paths"])
    types.named("Problem")
    return {"models.py": types.source(), "operations.py": methods}


def main() -> None:
    document, folder = json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2])
    for name, text in generate(document).items():
        Path(folder, name).write_text(text)


if __name__ == "__main__":
    main()
