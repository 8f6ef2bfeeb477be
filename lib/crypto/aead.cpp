#include "crypto/aead.hpp"

#include <dynconf/error.hpp>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cstdint>
#include <memory>
#include <new>

namespace dynconf::crypto {

namespace {

/// Of a key, or what leads to one.
template <std::size_t Size> struct wiped_bytes : std::array<unsigned char, Size> {
    wiped_bytes() : std::array<unsigned char, Size>{} {}
    wiped_bytes(const wiped_bytes&) = delete;
    wiped_bytes& operator=(const wiped_bytes&) = delete;
    ~wiped_bytes() { OPENSSL_cleanse(this->data(), Size); }
};
using block = wiped_bytes<16>;

struct free_context { void operator()(EVP_CIPHER_CTX* c) const noexcept { EVP_CIPHER_CTX_free(c); } };
using context = std::unique_ptr<EVP_CIPHER_CTX, free_context>;

const unsigned char* bytes(std::string_view text) noexcept { return reinterpret_cast<const unsigned char*>(text.data()); }
unsigned char* bytes(std::string& text) noexcept { return reinterpret_cast<unsigned char*>(text.data()); }

/// What OpenSSL refuses for no reason of ours: it has no memory, or no such cipher.
void must(bool done) {
    if (!done) throw exception(error{make_error_code(boost::system::errc::state_not_recoverable), "OpenSSL has no AES-256"});
}

context new_context() {
    context c(EVP_CIPHER_CTX_new());
    if (!c) throw std::bad_alloc();
    return c;
}

/// EVP takes lengths as int.
int as_length(std::string_view text) {
    if (text.size() > INT_MAX) throw exception(error{errc::invalid_argument, "more than 2 GiB to encrypt"});
    return static_cast<int>(text.size());
}

/// The key for one value: as an SP 800-108 counter KDF with CMAC, of which only one block is left for each half.
class derived_key {
public:
    derived_key(std::string_view key, std::string_view nonce) {
        const context c = new_context();
        must(EVP_EncryptInit_ex(c.get(), EVP_aes_256_ecb(), nullptr, bytes(key), nullptr) == 1);
        EVP_CIPHER_CTX_set_padding(c.get(), 0);
        block message, first, subkey;
        encrypt(c, message, first.data());
        for (std::size_t i = 0; i < subkey.size(); ++i) {   // CMAC's K1: twice the first in the field
            const unsigned carry = i + 1 < first.size() ? first[i + 1] >> 7 : 0U;
            subkey[i] = static_cast<unsigned char>((static_cast<unsigned>(first[i]) << 1) | carry);
        }
        if (first[0] >> 7) subkey.back() ^= 0x87;
        for (const unsigned char half : {std::uint8_t{0}, std::uint8_t{1}}) {
            message.fill(0);
            message[1] = static_cast<unsigned char>(half + 1);
            message[2] = 'X';
            std::copy_n(bytes(nonce), gcm_nonce_size, message.begin() + 4);
            for (std::size_t i = 0; i < message.size(); ++i) message[i] ^= subkey[i];
            encrypt(c, message, content_.data() + half * message.size());
        }
    }

    std::string_view view() const noexcept { return {reinterpret_cast<const char*>(content_.data()), content_.size()}; }

private:
    static void encrypt(const context& c, const block& in, unsigned char* out) {
        int length = 0;
        must(EVP_EncryptUpdate(c.get(), out, &length, in.data(), static_cast<int>(in.size())) == 1);
    }

    wiped_bytes<key_size> content_;
};

}  // namespace

std::string gcm_seal(std::string_view key, std::string_view nonce, std::string_view text, std::string_view associated) {
    const context c = new_context();
    must(EVP_EncryptInit_ex(c.get(), EVP_aes_256_gcm(), nullptr, bytes(key), bytes(nonce)) == 1);
    int length = 0;
    must(EVP_EncryptUpdate(c.get(), nullptr, &length, bytes(associated), as_length(associated)) == 1);
    std::string out(text.size() + tag_size, '\0');
    must(EVP_EncryptUpdate(c.get(), bytes(out), &length, bytes(text), as_length(text)) == 1);
    must(EVP_EncryptFinal_ex(c.get(), bytes(out) + length, &length) == 1);
    must(EVP_CIPHER_CTX_ctrl(c.get(), EVP_CTRL_GCM_GET_TAG, static_cast<int>(tag_size), bytes(out) + text.size()) == 1);
    return out;
}

std::optional<std::string> gcm_open(std::string_view key, std::string_view nonce, std::string_view sealed, std::string_view associated) {
    if (sealed.size() < tag_size) return std::nullopt;
    const std::string_view text = sealed.substr(0, sealed.size() - tag_size);
    std::string tag(sealed.substr(text.size()));
    const context c = new_context();
    must(EVP_DecryptInit_ex(c.get(), EVP_aes_256_gcm(), nullptr, bytes(key), bytes(nonce)) == 1);
    int length = 0;
    must(EVP_DecryptUpdate(c.get(), nullptr, &length, bytes(associated), as_length(associated)) == 1);
    std::string out(text.size(), '\0');
    must(EVP_DecryptUpdate(c.get(), bytes(out), &length, bytes(text), as_length(text)) == 1);
    must(EVP_CIPHER_CTX_ctrl(c.get(), EVP_CTRL_GCM_SET_TAG, static_cast<int>(tag_size), tag.data()) == 1);
    if (EVP_DecryptFinal_ex(c.get(), bytes(out) + length, &length) == 1) return out;
    OPENSSL_cleanse(out.data(), out.size());   // nobody may use what is not authentic
    return std::nullopt;
}

std::string xaes_seal(std::string_view key, std::string_view nonce, std::string_view text, std::string_view associated) {
    return gcm_seal(derived_key(key, nonce).view(), nonce.substr(gcm_nonce_size), text, associated);
}

std::optional<std::string> xaes_open(std::string_view key, std::string_view nonce, std::string_view sealed, std::string_view associated) {
    return gcm_open(derived_key(key, nonce).view(), nonce.substr(gcm_nonce_size), sealed, associated);
}

std::string random_bytes(std::size_t count) {
    std::string out(count, '\0');
    if (RAND_bytes(bytes(out), static_cast<int>(count)) != 1)
        throw exception(error{make_error_code(boost::system::errc::state_not_recoverable), "OpenSSL has no random numbers"});
    return out;
}

}  // namespace dynconf::crypto
