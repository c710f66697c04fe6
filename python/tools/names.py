"""Describes the public names of a `pyspark`: modules, classes, members, and how each is called.

    python python/tools/names.py > python/tests/pyspark_names.json

`python/tests/test_names.py` looks for all of them in ours. Internal modules and the packages that are no part of the
front (`pyspark.sql` and others) are named without what is in them.
"""

import importlib
import inspect
import json
import pkgutil
import re
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

Description = dict[str, Any]
Names = dict[str, Description]

# Modules whose names are described one by one.
MODULES = (
    "",
    "accumulators",
    "broadcast",
    "conf",
    "context",
    "files",
    "profiler",
    "rdd",
    "resource",
    "resultiterable",
    "serializers",
    "statcounter",
    "status",
    "storagelevel",
    "streaming",
    "streaming.context",
    "streaming.dstream",
    "streaming.kinesis",
    "streaming.listener",
    "streaming.util",
    "taskcontext",
    "util",
)

# What a class answers to besides its methods.
OPERATORS = frozenset(
    f"__{name}__" for name in ("add", "call", "enter", "eq", "exit", "iadd", "init", "iter", "len", "repr", "str")
)


def default(value: object) -> str:
    """How a parameter's default is written, without what differs from run to run."""
    if inspect.isroutine(value) or inspect.isclass(value):
        return f"<{value.__name__}>"
    return re.sub(r"<([\w.]+) object at 0x[0-9a-f]+>", lambda found: f"<{found[1].rsplit('.', 1)[-1]}>", repr(value))


def parameters(function: Any) -> list[str] | None:
    """The parameters as `name`, `name=default`, `*name` or `**name`; after a `*`, those given only by name."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return None
    written: list[str] = []
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and "*" not in [name[:1] for name in written]:
            written.append("*")
        prefix = {"VAR_POSITIONAL": "*", "VAR_KEYWORD": "**"}.get(parameter.kind.name, "")
        suffix = "" if parameter.default is parameter.empty else f"={default(parameter.default)}"
        written.append(f"{prefix}{parameter.name}{suffix}")
    return written


def member(owner: type, name: str) -> Description:
    """One member of a class. The first parameter of a method (`self`) is left out."""
    found = inspect.getattr_static(owner, name)
    if isinstance(found, staticmethod):
        return {"kind": "static method", "parameters": parameters(found.__func__)}
    if isinstance(found, classmethod):
        return {"kind": "class method", "parameters": (parameters(found.__func__) or [""])[1:]}
    if found is object.__init__:
        return {"kind": "method", "parameters": []}
    if inspect.isroutine(found):
        return {"kind": "method", "parameters": (parameters(found) or [""])[1:]}
    return {"kind": "attribute"}


def home(owner: type) -> str:
    return f"{owner.__module__}.{owner.__name__}"


def members(owner: type) -> Names:
    """The public members that a class adds to the bases that are described themselves."""
    package = owner.__module__.split(".")[0]
    names: set[str] = set()
    for base in owner.__mro__:
        listed = base.__module__ in {f"{package}.{name}" for name in MODULES} and not base.__name__.startswith("_")
        if base is not owner and listed:
            break
        if base.__module__.split(".")[0] == package:
            names.update(name for name in vars(base) if not name.startswith("_") or name in OPERATORS)
    return {name: member(owner, name) for name in sorted(names)}


def public(module: ModuleType) -> Iterator[tuple[str, Any]]:
    """What a module exports: its `__all__`, and what it defines itself."""
    listed = set(getattr(module, "__all__", ()))
    for name, value in sorted(vars(module).items()):
        defined = getattr(value, "__module__", None) == module.__name__
        if name in listed or (defined and not name.startswith("_") and callable(value)):
            yield name, value


def described(found: Any, module: str) -> Description:
    """What a module exports. Of a class that another module defines only its place is said."""
    if inspect.isclass(found):
        elsewhere = found.__module__ != module and found.__module__.startswith("pyspark")
        return {"kind": "class", "from": home(found)} if elsewhere else {"kind": "class", "members": members(found)}
    if inspect.ismodule(found):
        return {"kind": "module"}
    if inspect.isroutine(found):
        return {"kind": "function", "parameters": parameters(found)}
    return {"kind": "value"}


def live(package: str) -> dict[str, object]:
    """An object of each class whose objects have attributes that the class does not show. Needs `stop_live`."""
    of = {name: importlib.import_module(f"{package}.{name}" if name else package) for name in MODULES}
    context = of[""].SparkContext("local[2]", "names")
    records = context.parallelize([1, 2], 2)
    streaming = of["streaming"].StreamingContext(context, 1)
    return {
        "pyspark.context.SparkContext": context,
        "pyspark.rdd.RDD": records,
        "pyspark.rdd.PipelinedRDD": records.map(str),
        "pyspark.accumulators.Accumulator": context.accumulator(0),
        "pyspark.broadcast.Broadcast": context.broadcast(0),
        "pyspark.rdd.BoundedFloat": of["rdd"].BoundedFloat(1.0, 0.5, 0.5, 1.5),
        "pyspark.resultiterable.ResultIterable": of["resultiterable"].ResultIterable([1]),
        "pyspark.statcounter.StatCounter": of["statcounter"].StatCounter([1]),
        "pyspark.storagelevel.StorageLevel": of["storagelevel"].StorageLevel(True, True, False, False),
        "pyspark.streaming.context.StreamingContext": streaming,
        "pyspark.streaming.dstream.DStream": streaming.queueStream([records]),
    }


def stop_live(objects: dict[str, Any]) -> None:
    objects["pyspark.streaming.context.StreamingContext"].stop()


def attributes(objects: dict[str, object]) -> dict[str, list[str]]:
    """The public attributes that objects have beyond those of their classes."""
    return {
        name: sorted(key for key in vars(value) if not key.startswith("_") and not hasattr(type(value), key))
        for name, value in objects.items()
    }


def submodules(package: str) -> list[str]:
    """The public modules and packages directly below."""
    root = importlib.import_module(package)
    return sorted(found.name for found in pkgutil.iter_modules(root.__path__) if not found.name.startswith("_"))


def describe() -> Names:
    """Module by module, of the `pyspark` that is installed."""
    names: Names = {f"pyspark.{name}": {} for name in submodules("pyspark")}
    for name in MODULES:
        key = f"pyspark.{name}" if name else "pyspark"
        module = importlib.import_module(key)
        names[key] = {exported: described(found, key) for exported, found in public(module)}
    objects = live("pyspark")
    for name, found in attributes(objects).items():
        module_name, owner = name.rsplit(".", 1)
        names[module_name][owner]["members"].update({key: {"kind": "attribute of objects"} for key in found})
    stop_live(objects)
    return names


def flat(names: Names) -> Names:
    """Dotted names, each with its description; members of a class below it."""
    found: Names = {}
    for module, exported in names.items():
        found[module] = {"kind": "module"}
        for name, description in exported.items():
            found[f"{module}.{name}"] = {key: value for key, value in description.items() if key != "members"}
            for inner, of_member in description.get("members", {}).items():
                found[f"{module}.{name}.{inner}"] = of_member
    return found


if __name__ == "__main__":
    json.dump(describe(), sys.stdout, indent=1, sort_keys=True)
    print()
