/* A PAM module for tests: asks for a password and, if one is set, for a code, and notes each time it is asked.
 *
 * Arguments: password=… code=… log=FILE. A line is appended to FILE when an authentication begins, which is
 * where a real second factor would send its push. Prototypes are spelled out here as in
 * <security/pam_modules.h> (Linux-PAM), so that no header has to be installed.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct pam_message { int msg_style; const char *msg; };
struct pam_response { char *resp; int resp_retcode; };
struct pam_conv {
    int (*conv)(int, const struct pam_message **, struct pam_response **, void *);
    void *appdata_ptr;
};
enum { PAM_SUCCESS = 0, PAM_AUTH_ERR = 7, PAM_CONV = 5, PAM_PROMPT_ECHO_OFF = 1, PAM_TEXT_INFO = 4 };
int pam_get_item(const void *pamh, int item, const void **value);

static const char *argument(int argc, const char **argv, const char *name) {
    for (int i = 0; i < argc; i++)
        if (!strncmp(argv[i], name, strlen(name))) return argv[i] + strlen(name);
    return NULL;
}

static int asks(const struct pam_conv *conv, int style, const char *text, const char *expected) {
    const struct pam_message message = {style, text}, *messages[] = {&message};
    struct pam_response *answer = NULL;
    if (conv->conv(1, messages, &answer, conv->appdata_ptr) != PAM_SUCCESS) return 0;
    int right = !expected || (answer && answer->resp && !strcmp(answer->resp, expected));
    if (answer) { free(answer->resp); free(answer); }
    return right;
}

int pam_sm_authenticate(void *pamh, int flags, int argc, const char **argv) {
    const struct pam_conv *conv = NULL;
    const char *password = argument(argc, argv, "password="), *code = argument(argc, argv, "code=");
    const char *log = argument(argc, argv, "log=");
    int file = open(log, O_WRONLY | O_APPEND | O_CREAT, 0600);
    if (file >= 0) { if (write(file, "asked\n", 6) != 6) return PAM_AUTH_ERR; close(file); }
    if (pam_get_item(pamh, PAM_CONV, (const void **)&conv) || !conv) return PAM_AUTH_ERR;
    if (!asks(conv, PAM_PROMPT_ECHO_OFF, "Password: ", password)) return PAM_AUTH_ERR;
    if (!code) return PAM_SUCCESS;
    asks(conv, PAM_TEXT_INFO, "A code was sent to your phone.", NULL);
    return asks(conv, PAM_PROMPT_ECHO_OFF, "Verification code: ", code) ? PAM_SUCCESS : PAM_AUTH_ERR;
}

int pam_sm_setcred(void *p, int f, int c, const char **v) { return PAM_SUCCESS; }
int pam_sm_acct_mgmt(void *p, int f, int c, const char **v) { return PAM_SUCCESS; }
int pam_sm_open_session(void *p, int f, int c, const char **v) { return PAM_SUCCESS; }
int pam_sm_close_session(void *p, int f, int c, const char **v) { return PAM_SUCCESS; }
