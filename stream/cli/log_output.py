"""What all appenders of a log configuration have in common: layout, threshold, filters."""

from __future__ import annotations

import logging

from . import log, messages
from .log_filters import FilterChain
from .log_layouts import LAYOUTS, LayoutError, SimpleLayout
from .log_properties import subset
from .log_settings import Settings, level


class Appender(logging.Handler):
    """A handler with the settings of an appender. A bad layout makes DCMTK forget threshold and filters, so it does here."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.setFormatter(SimpleLayout({}))
        name = settings.get("layout")
        if name is not None:
            if name not in LAYOUTS:
                log.complain(messages.NO_LAYOUT_CLASS.format(name))
                return
            try:
                self.setFormatter(LAYOUTS[name](subset(settings, "layout.")))
            except LayoutError as error:
                log.complain(messages.NO_LAYOUT.format(error))
                return
        self.setLevel(level(settings.get("Threshold", "")) or logging.NOTSET)
        self.addFilter(FilterChain(subset(settings, "filters.")))
