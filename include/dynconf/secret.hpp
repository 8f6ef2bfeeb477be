#pragma once

#include <dynconf/detail/export.hpp>

#include <cstddef>
#include <iosfwd>
#include <string>
#include <string_view>

namespace dynconf {

/// Text or bytes that nobody may see by accident: a password, a token, a key. It cannot be streamed or formatted, it is
/// compared in a time that depends on its length alone, and its memory is wiped before it is freed. Distinct objects may be
/// used from distinct threads, a constant one from any.
///
/// What it is made of stays the caller's, also to wipe: a literal or a `std::string` is only copied. `wipe` helps.
class DYNCONF_API secret {
public:
    secret() noexcept = default;
    secret(std::string_view content);
    secret(const char* content) : secret(std::string_view(content)) {}
    secret(const std::string& content) : secret(std::string_view(content)) {}

    secret(const secret& other) : secret(other.reveal()) {}
    secret(secret&& other) noexcept;
    secret& operator=(secret other) noexcept;
    ~secret();

    bool empty() const noexcept { return size_ == 0; }
    std::size_t size() const noexcept { return size_; }

    /// The content, as long as this object lives unchanged. The one way to it, so that each use can be found.
    std::string_view reveal() const noexcept { return {bytes_, size_}; }

    /// In constant time for secrets of equal length; that the lengths differ is no secret.
    friend DYNCONF_API bool operator==(const secret& a, const secret& b) noexcept;

    /// Not without `reveal`.
    friend std::ostream& operator<<(std::ostream&, const secret&) = delete;

private:
    char* bytes_ = nullptr;
    std::size_t size_ = 0;
};

/// Overwrites what `text` holds, which is empty afterwards; the compiler does not leave that out.
DYNCONF_API void wipe(std::string& text) noexcept;

}  // namespace dynconf
