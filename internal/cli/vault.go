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

// vaultAtHand is vault where no configuration is loaded, as for a plan file. The
// keys are those of the proximity block in the working directory, or of the
// environment.
func (a *app) vaultAtHand() (state.Vault, error) {
	o, err := a.configOptions()
	if err != nil {
		return nil, err
	}
	c, problems := config.LoadSettings(o)
	if c != nil {
		return vaultOr(c.Settings.Encryption, o)
	}
	v, err := vaultOr(nil, o)
	if v == nil && err == nil {
		return nil, &exit{exitInvalid, problems.Err()}
	}
	return v, err
}

// vaultOr returns the vault of an encryption block or, where there is none, the
// one of the environment; nil where that says nothing either.
func vaultOr(e *config.Encryption, o config.Options) (state.Vault, error) {
	if e != nil {
		return vaultOf(e)
	}
	told, problems := config.EncryptionOfEnvironment(o)
	if err := problems.Err(); err != nil {
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
