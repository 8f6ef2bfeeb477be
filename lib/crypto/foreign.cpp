#include "crypto/foreign.hpp"

#include "crypto/aead.hpp"
#include "wire/base64.hpp"
#include "wire/quote.hpp"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <memory>
#include <new>
#include <optional>

namespace dynconf::crypto {

namespace {

const unsigned char* bytes(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

/// What a failed call leaves in OpenSSL's queue would be taken for the fault of the next TLS connection of this thread.
struct quiet_errors {
    quiet_errors() { ERR_set_mark(); }
    quiet_errors(const quiet_errors&) = delete;
    quiet_errors& operator=(const quiet_errors&) = delete;
    ~quiet_errors() { ERR_pop_to_mark(); }
};

/// AES-128-CBC with PKCS #7; only of what was authenticated before.
std::optional<std::string> decrypt_cbc(const unsigned char* key, std::string_view iv, std::string_view body) {
    const quiet_errors quiet;
    const std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)> context(EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free);
    if (!context) throw std::bad_alloc();
    std::string out(body.size(), '\0');
    auto* to = reinterpret_cast<unsigned char*>(out.data());
    int some = 0, rest = 0;
    const bool good = EVP_DecryptInit_ex(context.get(), EVP_aes_128_cbc(), nullptr, key, bytes(iv)) == 1
        && EVP_DecryptUpdate(context.get(), to, &some, bytes(body), static_cast<int>(body.size())) == 1
        && EVP_DecryptFinal_ex(context.get(), to + some, &rest) == 1;
    if (!good) {
        wipe(out);
        return std::nullopt;
    }
    out.resize(static_cast<std::size_t>(some + rest));
    return out;
}

/// The bytes of base64url with its padding, and of no other spelling.
std::optional<std::string> from_base64url(std::string_view text) {
    auto decoded = wire::from_base64(text);
    if (!decoded) return std::nullopt;
    std::string again = wire::to_base64(*decoded);
    std::replace(again.begin(), again.end(), '+', '-');
    std::replace(again.begin(), again.end(), '/', '_');
    if (again != text) return std::nullopt;
    return decoded;
}

}  // namespace

result<std::string> open_fernet(const secret& key, std::string_view token) {
    constexpr std::size_t half = key_size / 2, block = 16, header = 1 + 8 + block, digest = 32;
    constexpr char version = '\x80';
    if (token.size() > largest_foreign_value) return error{errc::not_sealed, "Fernet: too large"};
    const auto raw = from_base64url(token);
    if (!raw || raw->size() < header + block + digest || raw->front() != version || (raw->size() - header - digest) % block != 0)
        return error{errc::not_sealed, "Fernet: no such token"};
    const std::string_view all = *raw;
    const std::string_view told = all.substr(all.size() - digest), body = all.substr(header, all.size() - header - digest);
    std::array<unsigned char, digest> sum{};
    unsigned size = 0;
    const unsigned char* const secrets = bytes(key.reveal());
    if (!HMAC(EVP_sha256(), secrets, half, bytes(all), all.size() - digest, sum.data(), &size) || size != digest)
        throw std::bad_alloc();
    if (CRYPTO_memcmp(sum.data(), told.data(), digest) != 0)
        return error{errc::seal_broken, "Fernet: another key's, or altered"};
    auto plain = decrypt_cbc(secrets + half, all.substr(header - block, block), body);
    if (!plain) return error{errc::seal_broken, "Fernet: wrong padding"};
    return std::move(*plain);
}

result<std::string> open_blueprint(const secret& key, std::string_view stored) {
    if (stored.size() > largest_foreign_value) return error{errc::not_sealed, "blueprint: too large"};
    if (stored.size() < gcm_nonce_size + tag_size) return error{errc::not_sealed, "blueprint: too short for a value of its"};
    auto plain = gcm_open(key.reveal(), stored.substr(0, gcm_nonce_size), stored.substr(gcm_nonce_size), {});
    if (!plain && wire::is_utf8(stored)) return error{errc::not_sealed, "blueprint: text"};   // 28 random bytes are none
    if (!plain) return error{errc::seal_broken, "blueprint: another key's, altered, or never encrypted"};
    return std::move(*plain);
}

secret blueprint_key(const secret& configured) {
    std::array<unsigned char, SHA256_DIGEST_LENGTH> sum{};
    SHA256(bytes(configured.reveal()), configured.size(), sum.data());
    secret key(std::string_view(reinterpret_cast<const char*>(sum.data()), sum.size()));
    OPENSSL_cleanse(sum.data(), sum.size());
    return key;
}

}  // namespace dynconf::crypto
