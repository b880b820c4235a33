"""Distils heavy tabular models into small ones; knows neither ZenML nor MLflow."""

__version__ = "0.1.0"
