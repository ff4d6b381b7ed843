package pvesim

func migrateHandlers() map[string]handler { return nil }

func migrateEffects() map[string]effect { return nil }
