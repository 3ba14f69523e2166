"""Reads XML of services: elements by their names without namespaces, and no document types."""

from __future__ import annotations

from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from caribou.model.errors import OperationFailedError

MOST_BYTES = 16 * 2**20


class XmlError(OperationFailedError):
    """A text is no XML, or has what no answer of a service needs."""


def parsed(body: bytes) -> Element:
    """The root of a document. Its entities are never expanded: one line of them can become gigabytes.

    Raises XmlError.
    """
    if len(body) > MOST_BYTES:
        raise XmlError(f"more than {MOST_BYTES >> 20} MiB of XML")
    tree, parser = TreeBuilder(), expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = lambda name, _: tree.start(_local(name), {})
    parser.EndElementHandler = lambda name: tree.end(_local(name))
    parser.CharacterDataHandler = tree.data
    parser.StartDoctypeDeclHandler = _refuse
    try:
        parser.Parse(body, True)  # noqa: FBT003 - by position only
    except expat.ExpatError as error:
        raise XmlError(f"no XML: {error}") from None
    return tree.close()


def _local(name: str) -> str:
    return name.rpartition(" ")[2]


def _refuse(*_: object) -> None:
    raise XmlError("XML with a document type")
