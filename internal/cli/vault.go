package cli

import (
	"github.com/proximity-cli/proximity/internal/config"
	"github.com/proximity-cli/proximity/internal/diag"
	"github.com/proximity-cli/proximity/internal/state"
	"github.com/proximity-cli/proximity/internal/state/vault"
)

// keyChecks tell config what is wrong with a key.
func keyChecks() config.KeyChecks {
	return config.KeyChecks{Passphrase: vault.CheckPassphrase, Recipient: vault.CheckRecipient, Identities: vault.CheckIdentities}
}

// vault returns what the loaded configuration encrypts state and plan files
// with; nil when it says nothing of that.
func (a *app) vault() (state.Vault, error) { return vaultOf(a.config.Settings.Encryption) }

// vaultAtHand is vault for what needs no configuration: to look at what is
// recorded, or into a plan file. The keys are those of the proximity block in the
// working directory, whatever else is wrong there, or of the environment.
func (a *app) vaultAtHand() (state.Vault, error) {
	vars, err := a.variables()
	if err != nil {
		return nil, err
	}
	o := config.Options{
		Kinds: kindsByName(), Vars: vars, VarFiles: a.varFiles, LookupEnv: a.LookupEnv, Version: version(), Keys: keyChecks(),
	}
	settings, problems := config.LoadSettings(o)
	if settings.Encryption != nil && !problems.HasErrors() {
		return vaultOf(settings.Encryption)
	}
	told, wrong := config.EncryptionOfEnvironment(o)
	if told == nil && settings.Encryption != nil {
		wrong = problems
	}
	if err := wrong.Err(); err != nil {
		return nil, &exit{exitInvalid, err}
	}
	return vaultOf(told)
}

func vaultOf(e *config.Encryption) (state.Vault, error) {
	if e == nil {
		return nil, nil
	}
	v, err := vault.New(vault.Options{
		Passphrase: e.Passphrase.Reveal(), OldPassphrase: e.OldPassphrase.Reveal(),
		Recipients: e.Recipients, Identities: e.Identities.Reveal(),
	})
	if err != nil {
		return nil, &exit{exitInvalid, diag.List{diag.Errorf(&e.Range, "encryption is not valid", "%s", err)}.Err()}
	}
	return v, nil
}
