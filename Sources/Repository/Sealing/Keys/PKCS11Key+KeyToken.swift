package import Platform

extension PKCS11Key: KeyToken {}
