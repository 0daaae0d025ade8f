#include "CPKCS11.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

/* The part of the standard's interface that is used, in its own layout (PKCS #11 2.40, sections 3 to 5). */

typedef unsigned long CK_ULONG;
typedef CK_ULONG CK_RV;
typedef unsigned char CK_BYTE;

typedef struct {
    CK_ULONG type;
    void *value;
    CK_ULONG length;
} CK_ATTRIBUTE;

typedef struct {
    CK_ULONG mechanism;
    void *parameter;
    CK_ULONG length;
} CK_MECHANISM;

typedef struct {
    CK_BYTE major, minor;
} CK_VERSION;

typedef struct {
    CK_BYTE label[32];
    CK_BYTE manufacturer[32];
    CK_BYTE model[16];
    CK_BYTE serial[16];
    CK_ULONG flags;
    CK_ULONG counts[10];
    CK_VERSION hardware, firmware;
    CK_BYTE time[16];
} CK_TOKEN_INFO;

typedef struct {
    void *create, *destroy, *lock, *unlock;
    CK_ULONG flags;
    void *reserved;
} CK_INITIALIZE_ARGS;

typedef CK_RV (*any_function)(void);

/* The functions in the order of the standard's list; only those that are called have their types. */
typedef struct {
    CK_VERSION version;
    CK_RV (*initialize)(void *);
    any_function finalize, get_info, get_function_list;
    CK_RV (*get_slot_list)(CK_BYTE present, CK_ULONG *slots, CK_ULONG *count);
    any_function get_slot_info;
    CK_RV (*get_token_info)(CK_ULONG slot, CK_TOKEN_INFO *info);
    any_function get_mechanism_list, get_mechanism_info, init_token, init_pin, set_pin;
    CK_RV (*open_session)(CK_ULONG slot, CK_ULONG flags, void *application, void *notify, CK_ULONG *session);
    CK_RV (*close_session)(CK_ULONG session);
    any_function close_all_sessions, get_session_info, get_operation_state, set_operation_state;
    CK_RV (*login)(CK_ULONG session, CK_ULONG user, CK_BYTE *pin, CK_ULONG length);
    CK_RV (*logout)(CK_ULONG session);
    CK_RV (*create_object)(CK_ULONG session, CK_ATTRIBUTE *attributes, CK_ULONG count, CK_ULONG *object);
    any_function copy_object;
    CK_RV (*destroy_object)(CK_ULONG session, CK_ULONG object);
    any_function get_object_size;
    CK_RV (*get_attribute_value)(CK_ULONG session, CK_ULONG object, CK_ATTRIBUTE *attributes, CK_ULONG count);
    any_function set_attribute_value;
    CK_RV (*find_objects_init)(CK_ULONG session, CK_ATTRIBUTE *attributes, CK_ULONG count);
    CK_RV (*find_objects)(CK_ULONG session, CK_ULONG *objects, CK_ULONG most, CK_ULONG *count);
    CK_RV (*find_objects_final)(CK_ULONG session);
    any_function encrypt_init, encrypt, encrypt_update, encrypt_final;
    any_function decrypt_init, decrypt, decrypt_update, decrypt_final;
    any_function digest_init, digest, digest_update, digest_key, digest_final;
    any_function sign_init, sign, sign_update, sign_final, sign_recover_init, sign_recover;
    any_function verify_init, verify, verify_update, verify_final, verify_recover_init, verify_recover;
    any_function digest_encrypt_update, decrypt_digest_update, sign_encrypt_update, decrypt_verify_update;
    any_function generate_key, generate_key_pair;
    CK_RV (*wrap_key)(CK_ULONG session, CK_MECHANISM *mechanism, CK_ULONG wrapping, CK_ULONG key, CK_BYTE *wrapped,
                      CK_ULONG *length);
    CK_RV (*unwrap_key)(CK_ULONG session, CK_MECHANISM *mechanism, CK_ULONG unwrapping, CK_BYTE *wrapped,
                        CK_ULONG length, CK_ATTRIBUTE *attributes, CK_ULONG count, CK_ULONG *key);
} CK_FUNCTION_LIST;

enum {
    CKR_OK = 0,
    CKR_ALREADY_INITIALIZED = 0x191,
    CKR_USER_ALREADY_LOGGED_IN = 0x100,
    CKF_OS_LOCKING_OK = 2,
    CKF_RW_SESSION = 2,
    CKF_SERIAL_SESSION = 4,
    CKU_USER = 1,
    CKO_SECRET_KEY = 4,
    CKK_GENERIC_SECRET = 0x10,
    CKA_CLASS = 0,
    CKA_TOKEN = 1,
    CKA_LABEL = 3,
    CKA_VALUE = 0x11,
    CKA_KEY_TYPE = 0x100,
    CKA_SENSITIVE = 0x103,
    CKA_EXTRACTABLE = 0x162,
    CKM_AES_KEY_WRAP_PAD = 0x210A,
    MOST_SLOTS = 256,
};

struct pkcs11_key {
    CK_FUNCTION_LIST *functions;
    CK_ULONG session;
    CK_ULONG object;
};

static long find_token(CK_FUNCTION_LIST *functions, const char *label, CK_ULONG *found) {
    CK_ULONG slots[MOST_SLOTS];
    CK_ULONG count = MOST_SLOTS;
    CK_BYTE padded[32];
    size_t length = strlen(label);
    if (length > sizeof padded) return PKCS11_NO_TOKEN;
    memset(padded, ' ', sizeof padded);
    memcpy(padded, label, length);
    CK_RV result = functions->get_slot_list(1, slots, &count);
    if (result != CKR_OK) return (long)result;
    for (CK_ULONG index = 0; index < count; index++) {
        CK_TOKEN_INFO info;
        memset(&info, 0, sizeof info);
        if (functions->get_token_info(slots[index], &info) != CKR_OK) continue;
        if (memcmp(info.label, padded, sizeof padded) == 0) {
            *found = slots[index];
            return 0;
        }
    }
    return PKCS11_NO_TOKEN;
}

static long find_key(CK_FUNCTION_LIST *functions, CK_ULONG session, const char *label, CK_ULONG *found) {
    CK_ULONG class = CKO_SECRET_KEY;
    CK_ATTRIBUTE wanted[] = {
        {CKA_CLASS, &class, sizeof class},
        {CKA_LABEL, (void *)label, strlen(label)},
    };
    CK_ULONG objects[2];
    CK_ULONG count = 0;
    CK_RV result = functions->find_objects_init(session, wanted, 2);
    if (result != CKR_OK) return (long)result;
    result = functions->find_objects(session, objects, 2, &count);
    functions->find_objects_final(session);
    if (result != CKR_OK) return (long)result;
    if (count == 0) return PKCS11_NO_KEY;
    if (count > 1) return PKCS11_SEVERAL_KEYS;
    *found = objects[0];
    return 0;
}

static long load(const char *module, CK_FUNCTION_LIST **functions) {
    /* Never unloaded: modules leave threads and handlers behind. */
    void *library = dlopen(module, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) return PKCS11_NO_MODULE;
    CK_RV (*get_list)(CK_FUNCTION_LIST **);
    *(void **)&get_list = dlsym(library, "C_GetFunctionList");
    if (get_list == NULL || get_list(functions) != CKR_OK || *functions == NULL) return PKCS11_NO_MODULE;
    CK_INITIALIZE_ARGS arguments;
    memset(&arguments, 0, sizeof arguments);
    arguments.flags = CKF_OS_LOCKING_OK;
    CK_RV result = (*functions)->initialize(&arguments);
    return result == CKR_OK || result == CKR_ALREADY_INITIALIZED ? 0 : (long)result;
}

long pkcs11_open(const char *module, const char *token, const char *label, const uint8_t *pin, size_t pin_length,
                 pkcs11_key **out) {
    CK_FUNCTION_LIST *functions = NULL;
    CK_ULONG slot = 0, session = 0, object = 0;
    long outcome = load(module, &functions);
    if (outcome == 0) outcome = find_token(functions, token, &slot);
    if (outcome != 0) return outcome;
    CK_RV result = functions->open_session(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session);
    if (result != CKR_OK) return (long)result;
    result = functions->login(session, CKU_USER, (CK_BYTE *)pin, pin_length);
    outcome = result == CKR_USER_ALREADY_LOGGED_IN ? 0 : (long)result;
    if (outcome == 0) outcome = find_key(functions, session, label, &object);
    pkcs11_key *key = outcome == 0 ? malloc(sizeof *key) : NULL;
    if (key == NULL) {
        functions->close_session(session);
        return outcome == 0 ? PKCS11_TOO_LONG : outcome;
    }
    key->functions = functions;
    key->session = session;
    key->object = object;
    *out = key;
    return 0;
}

void pkcs11_close(pkcs11_key *key) {
    /* Closing the last session logs out; another of this process may be at work. */
    key->functions->close_session(key->session);
    free(key);
}

long pkcs11_wrap(pkcs11_key *key, const uint8_t *secret, size_t length, uint8_t *out, size_t *out_length) {
    CK_ULONG class = CKO_SECRET_KEY, type = CKK_GENERIC_SECRET, object = 0, room = *out_length;
    CK_BYTE yes = 1, no = 0;
    CK_ATTRIBUTE attributes[] = {
        {CKA_CLASS, &class, sizeof class},   {CKA_KEY_TYPE, &type, sizeof type}, {CKA_TOKEN, &no, sizeof no},
        {CKA_SENSITIVE, &no, sizeof no},     {CKA_EXTRACTABLE, &yes, sizeof yes},
        {CKA_VALUE, (void *)secret, length},
    };
    CK_RV result = key->functions->create_object(key->session, attributes, 6, &object);
    if (result != CKR_OK) return (long)result;
    CK_MECHANISM mechanism = {CKM_AES_KEY_WRAP_PAD, NULL, 0};
    result = key->functions->wrap_key(key->session, &mechanism, key->object, object, out, &room);
    key->functions->destroy_object(key->session, object);
    *out_length = room;
    return (long)result;
}

long pkcs11_unwrap(pkcs11_key *key, const uint8_t *wrapped, size_t length, uint8_t *out, size_t *out_length) {
    CK_ULONG class = CKO_SECRET_KEY, type = CKK_GENERIC_SECRET, object = 0;
    CK_BYTE yes = 1, no = 0;
    CK_ATTRIBUTE attributes[] = {
        {CKA_CLASS, &class, sizeof class}, {CKA_KEY_TYPE, &type, sizeof type},    {CKA_TOKEN, &no, sizeof no},
        {CKA_SENSITIVE, &no, sizeof no},   {CKA_EXTRACTABLE, &yes, sizeof yes},
    };
    CK_MECHANISM mechanism = {CKM_AES_KEY_WRAP_PAD, NULL, 0};
    CK_RV result = key->functions->unwrap_key(key->session, &mechanism, key->object, (CK_BYTE *)wrapped, length,
                                              attributes, 5, &object);
    if (result != CKR_OK) return (long)result;
    CK_ATTRIBUTE value = {CKA_VALUE, out, *out_length};
    result = key->functions->get_attribute_value(key->session, object, &value, 1);
    key->functions->destroy_object(key->session, object);
    if (result == CKR_OK && value.length > *out_length) return PKCS11_TOO_LONG;
    *out_length = value.length;
    return (long)result;
}
