"""The lint gate for what no other linter opens: the transformed template, the state machines, names and permissions.

python -m lint [--project FOLDER]
"""
