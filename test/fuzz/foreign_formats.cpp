#include "fuzz/target.hpp"

#include <dynconf/foreign_format.hpp>

#include "crypto/foreign.hpp"
#include "wire/base64.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>

using namespace dynconf;
using fuzz::promise;

namespace {

constexpr std::string_view key_bytes = "the-32-bytes-of-a-key-for-tests!";

void open(const foreign_format& format, std::string_view stored) {
    const auto opened = format.open(stored);
    if (opened) {
        promise(opened->size() <= stored.size(), "more than was stored");
        return;
    }
    const error& e = opened.error();
    promise(e == errc::not_sealed || e == errc::seal_broken, "another error: " + e.message());
    // OpenSecureConf's values are Fernet's.
    const bool names_it = e.detail.starts_with("Fernet: ") || e.detail.starts_with("blueprint: ");
    promise(names_it && e.detail.size() <= 80, "it quotes: " + e.detail);
}

/// A token with a signature that fits, whatever is in it.
std::string signed_token(std::string_view body) {
    const std::string all = '\x80' + std::string(body);
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    HMAC(EVP_sha256(), key_bytes.data(), 16, reinterpret_cast<const unsigned char*>(all.data()), all.size(), sum, &size);
    std::string text = wire::to_base64(all + std::string(reinterpret_cast<const char*>(sum), size));
    std::replace(text.begin(), text.end(), '+', '-');
    std::replace(text.begin(), text.end(), '/', '_');
    return text;
}

}  // namespace

FUZZ_TARGET(foreign_formats) {
    static const foreign_format fernet = foreign_format::fernet(key_bytes), blueprint = foreign_format::blueprint(key_bytes),
                                secure_conf = foreign_format::open_secure_conf(key_bytes, "salt", 1);
    const unsigned how = in.byte();
    const std::size_t at = in.byte();
    const std::string_view bytes = in.rest();
    switch (how % 4) {
        case 0: return open(fernet, bytes);
        case 1: return open(blueprint, bytes);
        case 2: return open(secure_conf, bytes);
        default: break;
    }
    std::string token = signed_token(bytes);
    open(fernet, token);
    // One text for each content: no other spelling of the same bytes is taken, and no other bytes.
    char& one = token[at % token.size()];
    one = static_cast<char>(static_cast<unsigned char>(one) ^ (1 + how / 4));
    promise(!fernet.open(token), "an altered token is opened");
}
