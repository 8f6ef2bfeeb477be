#include <dynconf/foreign_format.hpp>

#include "crypto/aead.hpp"
#include "crypto/foreign.hpp"
#include "crypto/pbkdf2.hpp"

#include <stdexcept>
#include <utility>

namespace dynconf {

namespace {

const secret& not_empty(const secret& key) {
    if (key.empty()) throw std::invalid_argument("dynconf: an empty key");
    return key;
}

}  // namespace

foreign_format foreign_format::fernet(const secret& key) {
    if (key.size() != crypto::key_size) throw std::invalid_argument("dynconf: a Fernet key has to have 32 bytes");
    return {"Fernet", key, &crypto::open_fernet};
}

foreign_format foreign_format::open_secure_conf(const secret& user_key, std::string_view salt, unsigned rounds) {
    secret key = crypto::pbkdf2_hmac_sha256(not_empty(user_key).reveal(), salt, rounds, crypto::key_size);
    return {"OpenSecureConf", std::move(key), &crypto::open_fernet};
}

foreign_format foreign_format::blueprint(const secret& configured_key) {
    return {"blueprint", crypto::blueprint_key(not_empty(configured_key)), &crypto::open_blueprint};
}

}  // namespace dynconf
