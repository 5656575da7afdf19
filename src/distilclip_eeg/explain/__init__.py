"""A detection -> what a person can look at: where and when a seizure was heard."""
