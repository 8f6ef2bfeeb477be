#include "crypto/pbkdf2.hpp"

#include <openssl/evp.h>

#include <limits>
#include <new>
#include <stdexcept>
#include <string>

namespace dynconf::crypto {

secret pbkdf2_hmac_sha256(std::string_view passphrase, std::string_view salt, unsigned rounds, std::size_t bytes) {
    constexpr std::size_t most = std::numeric_limits<int>::max();
    if (rounds == 0 || rounds > most || bytes == 0 || bytes > most || passphrase.size() > most || salt.size() > most)
        throw std::invalid_argument("dynconf: PBKDF2 cannot work with these numbers");
    std::string key(bytes, '\0');
    const int done = PKCS5_PBKDF2_HMAC(passphrase.data(), static_cast<int>(passphrase.size()),
                                       reinterpret_cast<const unsigned char*>(salt.data()), static_cast<int>(salt.size()),
                                       static_cast<int>(rounds), EVP_sha256(), static_cast<int>(bytes),
                                       reinterpret_cast<unsigned char*>(key.data()));
    secret out;
    if (done == 1) out = secret(key);
    wipe(key);
    if (done != 1) throw std::bad_alloc();   // the only way in which it can fail
    return out;
}

}  // namespace dynconf::crypto
