## 로그인

login-title = 로그인
login-lead = { $client } 서비스를 이용하려면 로그인해 주세요.
login-continue = { $account } 계정으로 계속하기
login-other = 또는 다른 계정으로 로그인
login-identifier = 이메일 또는 아이디
login-password = 비밀번호
login-remember = 로그인 상태 유지
login-submit = 로그인
login-cancel = 취소
login-problem-credentials = 아이디 또는 비밀번호가 올바르지 않아요. 다시 확인해 주세요.
login-problem-attempts = 로그인을 너무 여러 번 시도했어요. 잠시 후 다시 시도해 주세요.
login-problem-other = 로그인하지 못했어요. 다시 시도해 주세요.

## 동의

consent-title = 접근을 허용할까요?
consent-lead = { $client } 앱에서 회원님의 계정을 사용하려고 해요.
consent-scopes = 허용하면 앱에서 할 수 있는 일
consent-optional = 선택
consent-remember = 이 앱에는 다시 묻지 않기
consent-accept = 허용
consent-deny = 허용 안 함
consent-return = 어느 쪽을 선택해도 { $host } 사이트로 돌아가요.

scope-openid = 계정 확인
    .detail = 이 서비스에서 쓰는 계정 식별자
scope-profile = 프로필 보기
    .detail = 이름, 사진 등 기본 정보
scope-email = 이메일 주소 보기
    .detail = 이메일 주소와 인증 여부
scope-address = 우편 주소 보기
scope-phone = 전화번호 보기
    .detail = 전화번호와 인증 여부
scope-offline_access = 앱을 쓰지 않을 때도 접근 유지
    .detail = 직접 해제할 때까지

## 로그아웃

logout-title = 로그아웃할까요?
logout-lead = { $client } 앱에서 로그아웃을 요청했어요.
logout-accept = 로그아웃
logout-deny = 로그아웃하지 않기
logged-out-title = 로그아웃했어요
logged-out-text = 이제 이 페이지를 닫아도 돼요.
logged-out-continue-text = 앱으로 돌아가고 있어요.
logged-out-continue = 계속하기
logged-out-stayed-title = 로그인 상태를 유지했어요
logged-out-stayed-text = 바뀐 내용은 없어요. 이제 이 페이지를 닫아도 돼요.

## 오류

error-title = 요청을 처리할 수 없어요
error-text = 이용하던 앱에서 보낸 요청을 처리할 수 없어요. 앱으로 돌아가거나, 앱 운영자에게 아래 내용을 알려 주세요.
error-server-title = 일시적인 문제가 생겼어요
error-server-text = 잠시 후 다시 시도해 주세요. 문제가 계속되면 아래 요청 번호를 알려 주세요.
error-start-again-title = 더 이상 유효하지 않은 페이지예요
error-start-again-text = 시간이 오래 지났거나 이미 사용한 페이지예요. 앱으로 돌아가 처음부터 다시 시작해 주세요.
error-cookies-title = 쿠키를 허용해 주세요
error-cookies-text = 안전한 로그인에 필요한 쿠키를 브라우저에서 받지 못했어요. 이 사이트의 쿠키를 허용한 뒤, 앱으로 돌아가 다시 시작해 주세요.
error-later-title = 잠시만 기다려 주세요
error-later-text = 지금은 요청을 처리할 수 없어요. 몇 분 뒤에 다시 시도해 주세요.
error-code = 오류 코드
error-description = 상세 내용
error-rule = 규칙
error-parameter = 매개변수
error-value = 보낸 값
error-request = 요청 번호

## 앱으로 돌아가기

form-post-title = 잠시만요…
form-post-text = 앱으로 돌아가고 있어요.
form-post-noscript = 브라우저에서 자바스크립트가 꺼져 있어요. ‘계속하기’를 눌러 주세요.
form-post-submit = 계속하기

## 공통

account-label = 로그인한 계정
client-website = 웹사이트
client-policy = 개인정보처리방침
client-terms = 이용약관
link-new-tab = (새 탭에서 열려요)
