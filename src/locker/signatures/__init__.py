"""Judging and making signatures. The only folder that imports pyHanko.

``judge.SignatureJudge.validate`` answers a ``schema.Verdict``. ``prepare`` parses a document and leaves room in it,
``sealer.Sealer`` makes what goes there, ``seal.seal`` does both in this process.
"""
