package pvesim

func accessHandlers() map[string]handler { return nil }
