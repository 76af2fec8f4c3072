"""Judging and making signatures. The only folder that imports pyHanko.

``judge.SignatureJudge.validate`` answers a ``schema.Verdict``; ``seal.seal`` makes PAdES B-B and B-T.
"""
