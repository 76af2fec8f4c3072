"""Sign in through another OpenID provider, such as a national trusted third party.

An account there opens an account here only after the citizen signed in here with their own factors and said that the
two belong together. Nothing that the other provider tells of a person, no e-mail address and no phone number, is
looked at.
"""
