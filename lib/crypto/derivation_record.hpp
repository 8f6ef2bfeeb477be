#pragma once

#include <dynconf/error.hpp>
#include <dynconf/secret.hpp>

#include <string>
#include <string_view>

namespace dynconf::crypto {

/// How a key is made of a passphrase, and by which bytes it is recognised. No secret. As text, the salt and the check in
/// base64:
///
///     dynconf-key 1 pbkdf2-hmac-sha256 ROUNDS SALT CHECK
struct derivation_record {
    static constexpr std::size_t salt_size = 32;
    static constexpr std::size_t check_size = 16;

    unsigned rounds = 0;
    std::string salt;
    std::string check;   ///< The first 16 bytes of HMAC-SHA256(key, "dynconf passphrase check").

    std::string text() const;
    /// errc::seal_broken for what is no such text, unsupported_seal for another version or method, or rounds out of bounds.
    static result<derivation_record> parse(std::string_view text, unsigned least_rounds, unsigned most_rounds);
};

/// Takes long: see pbkdf2_hmac_sha256.
secret derive(const secret& passphrase, const derivation_record& how);
/// The check that belongs to a key.
std::string check_of(const secret& key);

}  // namespace dynconf::crypto
