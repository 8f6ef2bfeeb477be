#pragma once

#include <dynconf/detail/export.hpp>
#include <dynconf/error.hpp>
#include <dynconf/secret.hpp>

#include <string>
#include <string_view>
#include <utility>

namespace dynconf {

/// Opens values that another program has encrypted, to bring them under a key ring (`rotation_options::foreign`). Nothing is
/// ever written in such a format. Copies share nothing; a constant one may be used from any thread.
class foreign_format {
public:
    /// Fernet tokens under a Fernet key: 32 bytes, not their base64. The time in a token is no reason to refuse it.
    DYNCONF_API static foreign_format fernet(const secret& key);
    /// OpenSecureConf's values: Fernet under a key that PBKDF2-HMAC-SHA256 makes of the user's key and the content of the
    /// salt file. What it opens is the JSON of the value. Blocks for as long as the rounds take, about 0.2 s.
    DYNCONF_API static foreign_format open_secure_conf(const secret& user_key, std::string_view salt, unsigned rounds = 480'000);
    /// blueprint's values (Go): AES-256-GCM under SHA-256 of the bytes of the configured key. They have no mark of their own:
    /// what cannot be opened counts as plain where it is UTF-8 text, and as broken where it is not.
    DYNCONF_API static foreign_format blueprint(const secret& configured_key);
    // Each throws std::invalid_argument for an empty key, or one of a wrong size.

    /// "Fernet", "OpenSecureConf" or "blueprint".
    std::string_view name() const noexcept { return name_; }

    /// The plain text. errc::not_sealed: not of this format; errc::seal_broken: it may be, but of another key, or altered.
    result<std::string> open(std::string_view stored) const { return open_(key_, stored); }

private:
    using opener = result<std::string> (*)(const secret& key, std::string_view stored);
    foreign_format(std::string_view name, secret key, opener how) : name_(name), key_(std::move(key)), open_(how) {}

    std::string_view name_;
    secret key_;
    opener open_;
};

}  // namespace dynconf
