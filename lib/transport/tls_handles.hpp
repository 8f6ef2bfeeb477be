#pragma once

#include <openssl/bio.h>
#include <openssl/decoder.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>

#include <memory>
#include <string_view>

namespace dynconf::transport {

/// Frees what OpenSSL gave.
template <auto Free>
struct freed_by {
    template <class T> void operator()(T* p) const noexcept { Free(p); }
};

using bio_handle = std::unique_ptr<BIO, freed_by<BIO_free>>;
using x509_handle = std::unique_ptr<X509, freed_by<X509_free>>;
using key_handle = std::unique_ptr<EVP_PKEY, freed_by<EVP_PKEY_free>>;
using decoder_handle = std::unique_ptr<OSSL_DECODER_CTX, freed_by<OSSL_DECODER_CTX_free>>;
using pkcs12_handle = std::unique_ptr<PKCS12, freed_by<PKCS12_free>>;

inline void free_chain(STACK_OF(X509)* chain) noexcept { sk_X509_pop_free(chain, X509_free); }
using chain_handle = std::unique_ptr<STACK_OF(X509), freed_by<free_chain>>;

/// `text` is not copied.
inline bio_handle read_from(std::string_view text) { return bio_handle(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))); }

/// OpenSSL's own way is to ask at the terminal.
inline int no_password(char*, int, int, void*) noexcept { return -1; }

}  // namespace dynconf::transport
