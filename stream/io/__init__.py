"""Where bytes come from and go to: sources, sinks, spools, outputs that appear whole or not at all."""
