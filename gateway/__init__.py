"""The exam-venue gateway: sources, one engine, a journal, sinks."""

__version__ = "0.1.0"
