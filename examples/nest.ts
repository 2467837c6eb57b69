/**
 * NestJS: the `Auth` out of Nest's container, a guard for the whole application, and what is open or asks for more said where the
 * handler is. Behaves like `fresh-tokens`.
 *
 *     npm run example -- nest
 */
import 'reflect-metadata'
import { Body, Controller, Get, Inject, Module, Post, UseGuards } from '@nestjs/common'
import { APP_FILTER, APP_GUARD, NestFactory } from '@nestjs/core'
import { type Auth, AuthError, createAuth, type TokenPayload } from 'tokenwright'
import {
  AUTH,
  AuthErrorFilter,
  CurrentToken,
  injectedGuards,
  Public,
  TokenwrightModule,
} from 'tokenwright/nest'
import { listen, secretOfThisRun } from './surroundings/serve.ts'

const guard = injectedGuards()

@Controller()
class AccountController {
  @Inject(AUTH) private readonly auth!: Auth

  @Public()
  @Post('login')
  async login(@Body() body?: { username?: unknown; password?: unknown }): Promise<object> {
    if (body?.username !== 'test' || body.password !== 'test') throw new AuthError('credentials_invalid')
    const { access_token, refresh_token } = await this.auth.createTokenPair('test', { fresh: true })
    return { access_token, refresh_token }
  }

  // Open to the application's guard, which wants an access token; guarded by its own.
  @Public()
  @UseGuards(guard.refresh())
  @Post('refresh')
  async refresh(@CurrentToken() token: TokenPayload): Promise<object> {
    return { access_token: await this.auth.createAccessToken(token) }
  }

  @Get('protected')
  protected(@CurrentToken() token: TokenPayload): object {
    return { message: 'You have access', sub: token.sub }
  }

  @UseGuards(guard.fresh())
  @Post('change-password')
  changePassword(): object {
    return { message: 'Password changed' }
  }
}

@Module({
  // With a configuration: `forRootAsync({ imports: [ConfigModule], inject: [ConfigService], useFactory: (config) => ... })`.
  imports: [TokenwrightModule.forRootAsync({ useFactory: () => createAuth({ secret: secretOfThisRun() }) })],
  controllers: [AccountController],
  providers: [
    { provide: APP_GUARD, useClass: guard.access() },
    { provide: APP_FILTER, useClass: AuthErrorFilter },
  ],
})
class AppModule {}

const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'] })
await app.init()
listen(app.getHttpServer())
