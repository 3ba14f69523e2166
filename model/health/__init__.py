"""What is said of a workflow's and the control plane's health: metrics, events, and the topic of alarms."""
