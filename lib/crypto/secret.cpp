#include <dynconf/secret.hpp>

#include <openssl/crypto.h>

#include <utility>

namespace dynconf {

secret::secret(std::string_view content) {
    if (content.empty()) return;
    bytes_ = new char[content.size()];
    size_ = content.copy(bytes_, content.size());
}

secret::secret(secret&& other) noexcept : bytes_(std::exchange(other.bytes_, nullptr)), size_(std::exchange(other.size_, 0)) {}

secret& secret::operator=(secret other) noexcept {
    std::swap(bytes_, other.bytes_);
    std::swap(size_, other.size_);
    return *this;
}

secret::~secret() {
    OPENSSL_cleanse(bytes_, size_);
    delete[] bytes_;
}

bool operator==(const secret& a, const secret& b) noexcept {
    return a.size_ == b.size_ && CRYPTO_memcmp(a.bytes_, b.bytes_, a.size_) == 0;
}

void wipe(std::string& text) noexcept {
    // All of its memory: what a longer text has left behind the present one, too.
    text.resize(text.capacity());
    OPENSSL_cleanse(text.data(), text.size());
    text.clear();
}

}  // namespace dynconf
