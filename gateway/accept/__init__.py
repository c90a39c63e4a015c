"""Acceptance before the exam (考前检查验收): a walk through every sensor and every alarm, ending in a signed sheet."""
