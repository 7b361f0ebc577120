"""Plugins of other packages: entry points of the group `karl.plugins`, name -> class with `Settings` and `build`."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Literal, Protocol, cast

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from graphs.plugins.base import Plugin
from graphs.schema import BUILT_IN_PLUGINS, PluginSettings
from prompts import Prompt
from prompts.closed_yaml import closest, known_keys

GROUP = "karl.plugins"


class PluginClass(Protocol):
    """What an entry point names; `graphs.plugins.base.Passive` is a good base for it."""

    Settings: type[PluginSettings]

    def build(self, settings: Any, prompts: Mapping[str, Prompt]) -> Plugin: ...


def installed() -> dict[str, EntryPoint]:
    """Looked up anew at every call: a package may have been installed meanwhile."""
    return {point.name: point for point in _points() if point.name not in BUILT_IN_PLUGINS}


def plugin_clashes() -> list[tuple[Path, str]]:
    """Plugins that no graph gets, or no graph can choose: the folder of the package, and what to do about it."""
    return [(_folder(point), message) for point in _points() if (message := _clash(point))]


def external_settings(value: Any) -> PluginSettings:
    """One item of `plugins:` whose kind is none of ours.

    Raises: PydanticCustomError for an unknown kind or a plugin that can't be loaded, ValidationError for wrong keys.
    """
    points = installed()
    names = sorted([*BUILT_IN_PLUGINS, *points])
    if isinstance(value, str):
        raise _complaint(f"expected keys and values; write '{{kind: {value}, ...}}'")
    if not isinstance(value, dict) or "kind" not in value:
        raise _complaint(f"the key 'kind' is missing; expected one of {', '.join(names)}")
    kind = value["kind"]
    if kind not in points:
        listed = ", ".join(names)
        raise _complaint(f"{kind!r} is no valid kind; expected one of {listed}{closest(kind, names)}")
    settings = load_plugin(kind).Settings
    try:
        return settings.model_validate(value)
    except ValidationError as exc:
        raise _named_keys(exc, settings) from exc


def load_plugin(kind: str) -> PluginClass:
    """The class that an installed package offers as `kind`. Raises: PydanticCustomError when it is none."""
    point = installed()[kind]
    if clash := _clash(point):
        raise _complaint(clash)
    try:
        found = point.load()
    except Exception as exc:  # importing someone else's code can raise anything
        raise _unusable(point, f"{type(exc).__name__}: {exc}") from exc
    settings = getattr(found, "Settings", None)
    if not (isinstance(settings, type) and issubclass(settings, PluginSettings)):
        raise _unusable(point, "it has no class 'Settings' derived from karl.plugins.PluginSettings")
    if not callable(getattr(found, "build", None)):
        raise _unusable(point, "it has no method 'build(settings, prompts)'")
    return cast(PluginClass, found)


def _complaint(message: str, *, kind: Literal["plugin", "plugin_key", "missing"] = "plugin") -> PydanticCustomError:
    # As a value, not as the template: braces in a message are text.
    return PydanticCustomError(kind, "{message}", {"message": message})


def _unusable(point: EntryPoint, why: str) -> PydanticCustomError:
    return _complaint(f"plugin '{point.name}' of {_package(point)} can't be used: {why}")


def _points() -> list[EntryPoint]:
    return list(entry_points(group=GROUP))


def _clash(point: EntryPoint) -> str:
    """Whom else its name belongs to, with the mend; empty where it is alone."""
    others = [other for other in _points() if other.name == point.name and other != point]
    who = f"plugin '{point.name}' of {_package(point)}"
    if point.name in BUILT_IN_PLUGINS:
        return f"{who} is never used: karl has a plugin of that name; its entry point needs another, or uninstall it"
    if others:
        return f"{who} can't be told from that of {' and '.join(map(_package, others))}; uninstall all but one"
    return ""


def _package(point: EntryPoint) -> str:
    package = f"{point.dist.name} {point.dist.version}" if point.dist else "an unnamed package"
    return f"{package} ({point.value})"


def _folder(point: EntryPoint) -> Path:
    return Path(str(point.dist.locate_file(""))) if point.dist else Path()


def _named_keys(exc: ValidationError, settings: type[PluginSettings]) -> ValidationError:
    """The same complaints; an unknown key comes alone and names those that exist, since only the plugin knows them."""
    errors = exc.errors()
    unknown = [error for error in errors if error["type"] == "extra_forbidden"]
    return ValidationError.from_exception_data(exc.title, [_detail(error, settings) for error in unknown or errors])


def _detail(error: Any, settings: type[PluginSettings]) -> InitErrorDetails:
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        known = sorted(known_keys(settings, error["loc"][:-1]))
        message = f"unknown key; expected one of {', '.join(known)}{closest(error['loc'][-1], known)}"
    kind = "missing" if error["type"] == "missing" else "plugin_key"
    # The input would be shown beside the message, where only plain values help.
    return InitErrorDetails(type=_complaint(message, kind=kind), loc=error["loc"], input=error.get("input"))
