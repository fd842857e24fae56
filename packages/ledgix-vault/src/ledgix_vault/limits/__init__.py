"""Budgets and rates that remember: windows, who shares a budget, what a call asks of it, and the reasons in words."""
