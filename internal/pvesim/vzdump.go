package pvesim

func vzdumpHandlers() map[string]handler { return nil }

func vzdumpEffects() map[string]effect { return nil }
