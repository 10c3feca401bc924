"""The slides' tables, measured: experiments as jobs, run in processes or on a cluster."""
