"""The domain of labelloop, in rooms on floors: a room imports only rooms below it (lint/rooms.py, docs/house.md).

batch       what happens to one batch: images, merge, report
work        work that runs outside a state, and what a failure leaves behind
people      labelling jobs, answers, consolidation, honeypots, workers
engines     models: their files, their training, their endpoints
trust       judgement, accept policies, sampling, promotion, audit, conservation (pure)
tasks       what differs between boxes and key points (pure)
store       S3, the ledger, callbacks, dataset versions, notices
pictures    stored files and their one canonical picture (pure)
contracts   records, manifests, names, errors, settings, the keys of a batch's files (pure)
"""
