package pvesim

func cloneHandlers() map[string]handler { return nil }

func cloneEffects() map[string]effect { return nil }
