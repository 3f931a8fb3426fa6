"""Judgement, accept policies, sampling, promotion, audit and conservation: whose label is believed. Pure."""
