"""What a run emits, costs and takes under a placement, on drawn runs: see docs/model.md."""
