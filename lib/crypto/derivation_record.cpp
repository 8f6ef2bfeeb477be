#include "crypto/derivation_record.hpp"

#include "crypto/aead.hpp"
#include "crypto/pbkdf2.hpp"
#include "wire/base64.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <charconv>
#include <new>
#include <optional>

namespace dynconf::crypto {

namespace {

constexpr std::string_view name = "dynconf-key", version = "1", method = "pbkdf2-hmac-sha256";

/// Up to the next space, which is taken off; the rest when there is none.
std::string_view next_word(std::string_view& text) {
    const std::size_t end = text.find(' ');
    const std::string_view word = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    return word;
}

std::optional<std::string> bytes_of(std::string_view base64, std::size_t size) {
    auto bytes = wire::from_base64(base64);
    if (!bytes || bytes->size() != size) return std::nullopt;
    return bytes;
}

}  // namespace

std::string derivation_record::text() const {
    std::string out;
    for (const std::string_view word : {name, version, method}) out.append(word) += ' ';
    return out + std::to_string(rounds) + ' ' + wire::to_base64(salt) + ' ' + wire::to_base64(check);
}

result<derivation_record> derivation_record::parse(std::string_view text, unsigned least_rounds, unsigned most_rounds) {
    const error broken{errc::seal_broken, "no record of a passphrase's key"};
    constexpr std::size_t longest = 256;
    const std::string_view all = text;
    if (text.size() > longest || next_word(text) != name) return broken;
    if (next_word(text) != version) return error{errc::unsupported_seal, "a record of another version"};
    if (next_word(text) != method) return error{errc::unsupported_seal, "a record of another method"};
    derivation_record out;
    const std::string_view rounds = next_word(text);
    const auto [end, ec] = std::from_chars(rounds.data(), rounds.data() + rounds.size(), out.rounds);
    if (ec != std::errc() || end != rounds.data() + rounds.size()) return broken;
    if (out.rounds < least_rounds || out.rounds > most_rounds)
        return error{errc::unsupported_seal, "a record with " + std::to_string(out.rounds) + " rounds"};
    auto salt = bytes_of(next_word(text), salt_size);
    auto check = bytes_of(text, check_size);
    if (!salt || !check) return broken;
    out.salt = std::move(*salt);
    out.check = std::move(*check);
    if (out.text() != all) return broken;   // one text for each record
    return out;
}

secret derive(const secret& passphrase, const derivation_record& how) {
    return pbkdf2_hmac_sha256(passphrase.reveal(), how.salt, how.rounds, key_size);
}

std::string check_of(const secret& key) {
    constexpr std::string_view label = "dynconf passphrase check";
    std::array<unsigned char, EVP_MAX_MD_SIZE> sum{};
    unsigned size = 0;
    const auto* const text = reinterpret_cast<const unsigned char*>(label.data());
    const auto* done = HMAC(EVP_sha256(), key.reveal().data(), static_cast<int>(key.size()), text, label.size(), sum.data(), &size);
    if (!done || size < derivation_record::check_size) throw std::bad_alloc();
    return {reinterpret_cast<const char*>(sum.data()), derivation_record::check_size};
}

}  // namespace dynconf::crypto
