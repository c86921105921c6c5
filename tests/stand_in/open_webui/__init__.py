"""Stands in for Open WebUI where a test is not about the application; what it copies of it, test_stand_in.py holds."""
