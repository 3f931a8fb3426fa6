"""The domain of labelloop: plain functions and frozen dataclasses, and a few thin adapters to AWS.

Adapters (they import boto3): aws, storage, ledger, callbacks, outcomes, pointers. Everything else is pure.
"""
